"""What serves while what a collection is searched with is exchanged, and when that cannot be had."""

import pytest

import tiny
from support import Hanok, eventually, free_port, hanok, providers

TEXTS = ["the heron waits by the river", "the ferry leaves at noon", "bread and salt"]
WORDS = sorted({word for text in TEXTS for word in text.split()})


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "docs").mkdir()
    for at, text in enumerate(TEXTS):
        (tmp_path / "docs" / f"{at}.txt").write_text(text)
    ran = hanok("pull", tiny.write(tmp_path / "weights" / "tiny-one", WORDS), cwd=tmp_path)
    assert ran.code == 0, ran.err
    return tmp_path


def by_vectors(server, collection="default"):
    """Who embedded the question of a search by vectors; `None` where it found nothing by them."""
    reply = server.post("/api/search", {"query": "heron river", "collection": collection, "legs": "dense"})
    if reply.status != 200 or not reply.json["hits"]:
        return None
    trace = server.trace(reply.headers["x-hanok-trace-id"], spans=2)
    [span] = [span for span in trace["spans"] if span["operation"] == "embeddings" and "gen_ai.request.model" in span["attributes"]][-1:]
    return span["attributes"]["gen_ai.request.model"]


def collection(server, name):
    [row] = [row for row in server.get("/api/collections").json["collections"] if row["name"] == name]
    return row


def test_the_vectors_before_serve_until_the_new_ones_are_there_through_a_restart(folder, upstream):
    docs = "[collections.default]\npaths = [\"docs\"]\nembedder = \"{}\"\n"
    # Nobody listens where the next embedder is said to be.
    late = "[providers.late]\ndialect = \"openai-chat\"\nbase_url = \"{}\"\n"
    nobody = late.format(f"http://127.0.0.1:{free_port()}/v1")
    config = folder / "hanok.toml"
    server = Hanok(folder, docs.format("tiny-one")).start()
    try:
        eventually(lambda: by_vectors(server) == "tiny-one", 30, "vectors")
        config.write_text(docs.format("late/embed") + nobody)
        eventually(lambda: "late/embed" in str(collection(server, "default")["embedder"]), 30, "the change")
        assert by_vectors(server) == "tiny-one"
        # Twice: by its leave, and without. The one before is opened again each time.
        for end in [server.stop, server.kill]:
            end()
            server.start()
            eventually(lambda: by_vectors(server) == "tiny-one", 30, "the vectors before")
            row = collection(server, "default")
            assert "late/embed" in row["embedder"]["id"] and row["embedder"]["embedded"] == 0, row
        # Once the embedder is there, its vectors are made and serve.
        config.write_text(docs.format("late/embed") + late.format(f"{upstream.url}/v1"))
        eventually(lambda: by_vectors(server) == "embed", 30, "the new vectors")
        assert collection(server, "default")["embedder"]["embedded"] == len(TEXTS)
        server.stop()
        server.start()
        eventually(lambda: by_vectors(server) == "embed", 30, "the new vectors, after a restart")
    finally:
        server.stop()


def test_a_reload_with_a_broken_model_is_told_of_and_the_rest_serves(folder, upstream):
    broken = folder / "weights" / "broken"
    tiny.write(broken, WORDS)
    weights = broken / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    config = folder / "hanok.toml"
    written = lambda model, alias: providers(upstream, (
        f"[collections.birds]\npaths = [\"docs\"]\nembedder = \"{model}\"\n"
        "[collections.plain]\npaths = [\"docs\"]\nembedder = \"none\"\n"
        f"[models.{alias}]\ntargets = [\"mock/echo\"]\n"
    ))
    server = Hanok(folder, written("tiny-one", "before")).start()
    try:
        eventually(lambda: by_vectors(server, "birds") == "tiny-one", 30, "vectors")
        assert collection(server, "birds").get("problem") is None
        config.write_text(written("weights/broken", "after"))
        eventually(lambda: server.chat("after").status == 200, 30, "the reload")
        problem = eventually(lambda: collection(server, "birds").get("problem"), 30, "what is told of it")
        assert "broken" in problem and "safetensors" in problem, problem
        assert "a collection keeps what it is searched with" in server.stderr and str(broken.name) in server.stderr
        for page in ["/knowledge", "/knowledge/birds"]:
            assert "its models cannot be opened" in server.get(page).text, page
        assert problem.split(":")[0] in server.get("/knowledge/birds").text
        # The rest serves, and of this collection what there was.
        assert collection(server, "plain").get("problem") is None
        assert "its models cannot be opened" not in server.get("/knowledge/plain").text
        for name in ["birds", "plain"]:
            assert server.search("heron", name)[0]["text"] == TEXTS[0]
            assert "heron" in server.chat(f"hanok/extract@{name}", "Does the heron wait by the river?").text
        assert by_vectors(server, "birds") == "tiny-one"
        # The same at a start: the model of the vectors that there are is opened again.
        server.stop()
        server.start()
        problem = eventually(lambda: collection(server, "birds").get("problem"), 30, "what is told of it")
        assert "broken" in problem
        assert "a collection is searched by what it had, or by words alone" in server.stderr
        eventually(lambda: by_vectors(server, "birds") == "tiny-one", 30, "the vectors there are")
        # Mended and named again, it is opened.
        weights.write_bytes(whole)
        config.write_text(written("weights/broken", "mended"))
        eventually(lambda: by_vectors(server, "birds") == "broken", 30, "the mended model")
        assert collection(server, "birds").get("problem") is None
    finally:
        server.stop()
