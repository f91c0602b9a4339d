"""Models that run in the server's own process, called as `local/NAME` over the usual routes."""

import json
import math
from pathlib import Path

import openai
import pytest

import tiny
from support import Hanok, by_operation, eventually, hanok

TEXTS = ["the heron waits by the river", "the ferry leaves at noon", "the heron", "bread and salt"]
WORDS = sorted({word for text in TEXTS for word in text.split()} | {"where", "does", "wait"})
CONFIG = """
[collections.default]
paths = ["docs"]
rerank = "tiny-judge"
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("local")
    (folder / "docs").mkdir()
    for at, text in enumerate(TEXTS):
        (folder / "docs" / f"{at}.txt").write_text(text)
    (folder / "prompts").mkdir()
    (folder / "prompts" / "near.prompt").write_text(
        "---\nmodel: hanok/extract\nhanok.examples: {dataset: rows, count: 1, near: text}\n---\n{{text}}"
    )
    (folder / "datasets").mkdir()
    rows = [{"input": {"text": text}, "expected": "yes"} for text in TEXTS]
    (folder / "datasets" / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for name, scores in [("tiny-maker", False), ("tiny-judge", True)]:
        ran = hanok("pull", tiny.write(folder / "weights" / name, WORDS, scores), cwd=folder)
        assert ran.code == 0, ran.err
    server = Hanok(folder, CONFIG).start()
    yield server
    server.stop()


def rerank(server, **more):
    body = {"model": "local/tiny-judge", "query": "where does the heron wait", "documents": TEXTS, **more}
    return server.post("/v1/rerank", body)


def test_a_cross_encoder_answers_rerankings(server):
    reply = rerank(server)
    assert reply.status == 200, reply.text
    results = reply.json["results"]
    scores = [result["relevance_score"] for result in results]
    assert sorted(result["index"] for result in results) == [0, 1, 2, 3]
    assert scores == sorted(scores, reverse=True) and all(0 < score < 1 for score in scores)
    assert len(set(scores)) == 4
    assert reply.json["model"] == "local/tiny-judge"
    # What a text scores does not depend on those beside it.
    of = {result["index"]: result["relevance_score"] for result in results}
    for at, text in enumerate(TEXTS):
        alone = rerank(server, documents=[text]).json["results"][0]
        assert alone == {**alone, "index": 0, "relevance_score": pytest.approx(of[at], abs=1e-6)}
    best = rerank(server, top_n=2).json["results"]
    assert [result["index"] for result in best] == [result["index"] for result in results[:2]]
    trace = server.trace(reply.headers["x-hanok-trace-id"], spans=2)
    span = by_operation(trace, "rerank")[-1]["attributes"]
    assert span["gen_ai.provider.name"] == "local" and span["gen_ai.usage.input_tokens"] > 40


def test_searches_and_clients_get_the_same_scores(server):
    eventually(lambda: len(server.search("heron ferry bread")) == 4, what="the documents")
    hits = server.search("heron ferry bread")
    asked = rerank(server, query="heron ferry bread").json["results"]
    votes = {int(hit["source"][5]): vote["score"] for hit in hits for vote in hit["votes"] if vote["leg"] == "rerank"}
    sigmoid = lambda score: 1 / (1 + math.exp(-score))
    assert {at: sigmoid(score) for at, score in votes.items()} == {
        result["index"]: pytest.approx(result["relevance_score"], abs=1e-6) for result in asked
    }
    assert [int(hit["source"][5]) for hit in hits] == [result["index"] for result in asked]


def test_an_embedder_answers_embeddings(server):
    client = server.client()
    made = client.embeddings.create(model="local/tiny-maker", input=TEXTS)
    vectors = [item.embedding for item in made.data]
    assert [len(vector) for vector in vectors] == [tiny.HIDDEN] * 4
    assert all(math.isclose(math.hypot(*vector), 1, abs_tol=1e-5) for vector in vectors)
    assert made.usage.prompt_tokens > 10
    floats = client.embeddings.create(model="local/tiny-maker", input=TEXTS[1], encoding_format="float").data[0].embedding
    assert floats == pytest.approx(vectors[1], abs=1e-6)
    listed = {model.id for model in client.models.list()}
    assert {"local/tiny-maker", "local/tiny-judge"} <= listed


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux tells what a process has mapped")
def test_a_model_is_in_memory_once_whoever_uses_it(server):
    client = server.client()
    # By its name, by the collection's vectors and reranker, and by examples of a prompt.
    client.embeddings.create(model="local/tiny-maker", input=TEXTS)
    assert rerank(server).status == 200
    eventually(lambda: len(server.search("heron ferry bread")) == 4, what="the documents")
    dense = lambda: server.post("/api/search", {"query": "heron", "legs": "dense"})
    eventually(lambda: dense().status == 200 and dense().json["hits"], 30, "vectors")
    near = {"model": "prompt/near", "messages": [], "metadata": {"text": "where does the heron wait"}}
    asked = server.post("/v1/chat/completions", near)
    assert asked.status == 200, asked.text
    spans = server.trace(asked.headers["x-hanok-trace-id"], spans=3)["spans"]
    assert any(span["name"] == "embeddings tiny-maker" for span in spans), [span["name"] for span in spans]
    maps = Path(f"/proc/{server.process.pid}/maps").read_text().splitlines()
    for name in ["tiny-maker", "tiny-judge"]:
        mapped = [line for line in maps if line.endswith(f"/models/{name}/model.safetensors")]
        assert len(mapped) == 1, mapped


def test_a_cut_by_meaning_is_tuned_where_it_is_asked_for(server):
    eventually(lambda: len(server.search("heron ferry bread")) == 4, what="the documents")
    queries = server.folder / "queries.jsonl"
    asked = [{"query": text, "relevant": [f"docs/{at}.txt"]} for at, text in enumerate(TEXTS)]
    queries.write_text("\n".join(map(json.dumps, asked)))
    tune = lambda *more: hanok("tune", "default", "--queries", queries, "--dry-run", *more, cwd=server.folder)
    ran = tune("--try", "chunker")
    assert ran.code == 0, ran.err
    [left] = [line for line in ran.out.splitlines() if line.startswith("not tried")]
    assert 'by = "semantic"' in left and "every sentence is embedded" in left and "--try" in left, left
    assert tune("--try", "chunker", "--json").json["left_out"][0]["reason"]
    ran = tune("--try", "semantic")
    assert ran.code == 0, ran.err
    assert "not tried" not in ran.out
    [tried] = [line for line in ran.out.splitlines() if 'by = "semantic"' in line]
    assert tried.startswith("refused"), ran.out
    assert "cutting by semantic" in ran.err, ran.err


def test_what_a_model_is_not_for_is_refused(server):
    client = server.client()
    with pytest.raises(openai.BadRequestError, match="cross-encoder"):
        client.embeddings.create(model="local/tiny-judge", input="a")
    with pytest.raises(openai.BadRequestError, match="32 dimensions"):
        client.embeddings.create(model="local/tiny-maker", input="a", dimensions=8)
    with pytest.raises(openai.NotFoundError, match="hanok pull nobody"):
        client.embeddings.create(model="local/nobody", input="a")
    reply = rerank(server, model="local/tiny-maker")
    assert reply.status == 400 and "embedder" in reply.text
    chat = server.chat("local/tiny-maker")
    assert chat.status >= 400 and "no chats" in chat.text, chat.text


def test_a_model_is_there_once_it_is_pulled_and_gone_once_it_is_not(tmp_path):
    server = Hanok(tmp_path).start()
    try:
        assert "/v1/models" not in server.stderr, "there is no provider yet"
        assert rerank(server, model="local/later").status == 404
        ran = hanok("pull", tiny.write(tmp_path / "weights" / "later", WORDS, True), cwd=tmp_path)
        assert ran.code == 0, ran.err
        eventually(lambda: rerank(server, model="local/later").status == 200, what="the model")
        assert hanok("rm", "later", cwd=tmp_path).code == 0
        eventually(lambda: rerank(server, model="local/later").status == 404, what="the model's end")
    finally:
        server.stop()
