"""What a collection is configured with holds for both answerers, as it does for a search."""

import json
import subprocess

import pytest

from support import Hanok, eventually, hanok, providers

QUESTION = "Where does the heron wait?"

# One collection for each option, whose name it has, beside `base`, which says nothing.
COLLECTIONS = """
[collections.base]
paths = ["docs"]
embedder = "none"

[collections.paths]
paths = ["docs/b.txt"]
embedder = "none"

[collections.tracked]
paths = ["docs"]
tracked = true
embedder = "none"

[collections.chunking]
paths = ["docs"]
embedder = "none"
chunking = { by = "sentence", size = 40, overlap = 0 }

[collections.stemming]
paths = ["docs"]
embedder = "none"
stemming = false

[collections.metadata]
paths = ["docs"]
embedder = "none"
metadata = [{ match = "b.txt", trust = "trusted", set = { team = "birds" } }]

[collections.embedder]
paths = ["docs"]
embedder = "mock/embed"

[collections.rerank]
paths = ["docs"]
embedder = "none"
rerank = "chat:mock/echo"

[collections.fusion]
paths = ["docs"]
embedder = "mock/embed"
fusion = { dense = 0.0 }

[collections.legs]
paths = ["docs"]
embedder = "mock/embed"
legs = "bm25"

[collections.per_source]
paths = ["docs"]
embedder = "none"
chunking = { by = "sentence", size = 40, overlap = 0 }
per_source = 1

[collections.query]
paths = ["docs"]
embedder = "none"
query = ["multi"]

[collections.top_k]
paths = ["docs"]
embedder = "none"
chunking = { by = "sentence", size = 40, overlap = 0 }
top_k = 2
"""


class Asked:
    """What an answer was made from."""

    def __init__(self, server, answerer, collection, **more):
        model = {"extract": f"hanok/extract@{collection}", "ask": f"hanok/ask@{collection}:mock/from-documents"}[answerer]
        reply = server.chat(model, QUESTION, **more)
        assert reply.status == 200, reply.text
        self.spans = server.trace(reply.headers["x-hanok-trace-id"], spans=3)["spans"]
        self.names = {span["name"] for span in self.spans}
        last = [span for span in self.spans if span["name"] == f"retrieval {collection}"][-1]
        self.retrieval = last["attributes"]
        hits = self.retrieval["hanok.hits"]
        self.hits = json.loads(hits) if isinstance(hits, str) else hits
        self.sources = [hit["source"] for hit in self.hits]
        self.longest = max((hit["end"] - hit["start"] for hit in self.hits), default=0)


@pytest.fixture(scope="module")
def server(upstream, tmp_path_factory):
    folder = tmp_path_factory.mktemp("collections")
    docs = folder / "docs"
    docs.mkdir()
    (docs / "a.txt").write_text("".join(f"Heron number {n} waits by the river for a fish. " for n in range(60)))
    (docs / "b.txt").write_text("".join(f"Heron number {n} sleeps in the old willow. " for n in range(60)))
    git = lambda *args: subprocess.run(["git", *args], cwd=docs, check=True, capture_output=True)
    git("init", "-q")
    git("add", "a.txt")
    server = Hanok(folder, providers(upstream, COLLECTIONS)).start()
    known = lambda: server.get("/api/status").json["collections"]
    eventually(lambda: all(one["indexed"] and not one["indexing"] for one in known()), 30, "all collections")
    dense = lambda hit: any(vote["leg"] == "dense" for vote in hit["votes"])
    eventually(lambda: any(dense(hit) for hit in server.search("heron", "embedder")), 30, "vectors")
    yield server
    server.stop()


def reranked(it):
    found = [span["attributes"] for span in it.spans if span["name"] == "rerank"]
    return bool(found) and found[0]["hanok.reranker"] == "listwise:mock/echo"


OPTIONS = {
    "paths": lambda it, base, _: base.sources[0].endswith(("a.txt", "b.txt")) and {s[-5:] for s in it.sources} == {"b.txt"},
    "tracked": lambda it, base, _: len(set(base.sources)) == 2 and {s[-5:] for s in it.sources} == {"a.txt"},
    "chunking": lambda it, base, _: it.longest < 300 < base.longest,
    # The documents say `waits`.
    "stemming": lambda it, base, _: it.hits[0]["score"] < base.hits[0]["score"],
    "metadata": lambda it, base, _: base.sources == [] and {s[-5:] for s in it.sources} == {"b.txt"},
    "embedder": lambda it, base, _: "search dense" in it.names and "search dense" not in base.names,
    "rerank": lambda it, base, _: reranked(it) and not reranked(base),
    "fusion": lambda it, base, _: "search dense" not in it.names and it.retrieval["hanok.dense_weight"] == 0,
    "legs": lambda it, base, _: "search dense" not in it.names and it.retrieval["hanok.dense_weight"] == 0,
    "per_source": lambda it, base, _: len(it.sources) == 2 and len(set(it.sources)) == 2,
    # No model is called for `hanok/extract`, so that a step has none to be taken by.
    "query": lambda it, base, answerer: "query multi" not in base.names
    and ("query multi" in it.names) == (answerer == "ask"),
    "top_k": lambda it, base, _: len(it.hits) == 2,
}


@pytest.mark.parametrize("answerer", ["ask", "extract"])
@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_of_a_collection_reaches_the_answerer(server, option, answerer):
    more = {"hanok": {"filter": "team:birds trust:trusted"}} if option == "metadata" else {}
    it, base = Asked(server, answerer, option, **more), Asked(server, answerer, "base", **more)
    assert OPTIONS[option](it, base, answerer), (it.names, it.hits, base.names, base.hits)


def test_every_option_there_is_was_looked_at(tmp_path):
    schema = hanok("config", "schema", cwd=tmp_path).json
    assert set(schema["$defs"]["Collection"]["properties"]) == set(OPTIONS)


@pytest.mark.parametrize("answerer", ["ask", "extract"])
def test_a_request_wins_over_its_collection(server, answerer):
    assert len(Asked(server, answerer, "top_k", hanok={"top_k": 5}).hits) == 5
    assert "query multi" not in Asked(server, answerer, "query", hanok={"query": []}).names
    assert "search dense" in Asked(server, answerer, "legs", hanok={"legs": "hybrid"}).names


@pytest.mark.parametrize("line, part", [
    ("query = [\"guess\"]", "collections.docs.query"),
    ("top_k = 0", "collections.docs.top_k"),
    ("per_source = 0", "collections.docs.per_source"),
])
def test_an_option_that_makes_no_sense_is_refused(tmp_path, line, part):
    (tmp_path / "hanok.toml").write_text(f"[collections.docs]\npaths = [\"docs\"]\n{line}\n")
    refused = hanok("config", "check", cwd=tmp_path)
    assert refused.code == 1 and part in refused.err, refused.err
