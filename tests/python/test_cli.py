"""The command line: one JSON document on stdout, the rest on stderr, exit codes that mean something."""

import json

import pytest

from support import Hanok, free_port, hanok, providers, running

CONFIG = '[collections.default]\npaths = ["docs"]\n'


@pytest.fixture
def folder(tmp_path, upstream):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "tower.md").write_text("# The tower\n\n## Bells\n\nThe tower has three bells. The oldest bell was cast in 1412.\n")
    (docs / "종탑.md").write_text("# 종탑\n\n## 종\n\n가장 오래된 종은 1412년에 만들어졌습니다.\n")
    (tmp_path / "hanok.toml").write_text(providers(upstream, CONFIG))
    return tmp_path


@pytest.fixture(params=["alone", "beside a server"])
def place(request, folder):
    """Commands work on a folder nobody serves, and beside a running server, alike."""
    if request.param == "alone":
        assert hanok("index", cwd=folder).code == 0
        yield folder
        return
    server = Hanok(folder).start()
    server.until_found("oldest bell", "1412")
    server.until_found("오래된 종", "1412년")
    yield folder
    server.stop()


def test_index(folder):
    first = hanok("index", "--json", cwd=folder)
    assert first.code == 0, first.err
    assert isinstance(first.json, dict)
    second = hanok("index", "--json", cwd=folder)
    assert second.code == 0 and second.json != first.json, "the second run has nothing to do and should say so"


def test_index_of_a_folder_given(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("The kettle is copper.")
    assert hanok("index", "notes", "--collection", "notes", cwd=tmp_path).code == 0
    found = hanok("search", "kettle", "--collection", "notes", "--json", cwd=tmp_path)
    assert "copper" in found.json["hits"][0]["text"]


@pytest.mark.parametrize("query, part", [("oldest bell", "1412"), ("오래된 종", "1412년")])
def test_search(place, query, part):
    ran = hanok("search", query, "--json", cwd=place)
    assert ran.code == 0, ran.err
    hit = ran.json["hits"][0]
    assert part in hit["text"]
    assert set(hit) >= {"source", "heading", "start", "end", "text", "score"}
    plain = hanok("search", query, cwd=place)
    assert plain.code == 0 and part in plain.out


def test_ask(place):
    ran = hanok("ask", "When was the oldest bell cast?", "--json", cwd=place)
    assert ran.code == 0, ran.err
    assert "1412" in json.dumps(ran.json)
    plain = hanok("ask", "When was the oldest bell cast?", cwd=place)
    assert plain.code == 0 and "1412" in plain.out and "tower.md" in plain.out


def test_ask_what_is_not_there(place):
    ran = hanok("ask", "What is the capital of Mongolia?", cwd=place)
    assert ran.code == 0, ran.err
    assert "1412" not in ran.out


def test_ask_of_a_model(place):
    ran = hanok("ask", "repeat after me", "--model", "fast", cwd=place)
    assert ran.code == 0, ran.err
    assert "repeat after me" in ran.out


def test_ask_of_an_unknown_model(place):
    ran = hanok("ask", "x", "--model", "fats", cwd=place)
    assert ran.code == 1
    assert "fast" in ran.err and ran.out == ""
    assert "/v1/models" in ran.err, "the way out, alone and beside a server"


def test_chat_reads_lines(place):
    ran = hanok("chat", "--model", "fast", cwd=place, stdin=b"first line\nsecond line\n")
    assert ran.code == 0, ran.err
    assert "first line" in ran.out and "second line" in ran.out


def test_traces(place):
    hanok("ask", "When was the oldest bell cast?", cwd=place)
    rows = hanok("trace", "ls", "--json", cwd=place).json["traces"]
    assert rows and rows[0]["status"] == "ok"
    trace_id = rows[0]["trace_id"]
    shown = hanok("trace", "show", trace_id, "--json", cwd=place)
    assert shown.json["trace_id"] == trace_id and shown.json["spans"]
    assert trace_id[:8] in hanok("trace", "ls", cwd=place).out
    assert hanok("trace", "show", trace_id, cwd=place).code == 0
    failed = hanok("trace", "ls", "--filter", "status:error", "--json", cwd=place).json["traces"]
    assert trace_id not in {row["trace_id"] for row in failed}
    missing = hanok("trace", "show", "0" * 31 + "1", cwd=place)
    assert missing.code == 1 and missing.out == ""


def test_doctor(place):
    ran = hanok("doctor", cwd=place)
    assert ran.code == 0, ran.err
    assert "mock" in ran.out and "default" in ran.out
    assert isinstance(hanok("doctor", "--json", cwd=place).json, dict)


def test_doctor_says_what_is_missing_and_what_to_do(tmp_path):
    (tmp_path / "hanok.toml").write_text(
        f'[providers.dead]\ndialect = "openai-chat"\nbase_url = "http://127.0.0.1:{free_port()}/v1"\nkey = "env:UNSET_KEY"\n'
    )
    ran = hanok("doctor", cwd=tmp_path)
    assert "dead" in ran.out and "UNSET_KEY" in ran.out
    nothing = hanok("doctor", cwd=tmp_path / "..")
    assert nothing.out


def test_config(folder):
    assert hanok("config", "check", cwd=folder).code == 0
    assert hanok("config", "check", "--json", cwd=folder).json["ok"] is True
    schema = hanok("config", "schema", cwd=folder).json
    assert {"providers", "models", "collections", "keys", "server"} <= set(schema["properties"])
    shown = hanok("config", "show", cwd=folder)
    assert "mock" in shown.out and "sk-mock" not in shown.out
    as_json = hanok("config", "show", "--json", cwd=folder)
    assert as_json.json and "sk-mock" not in as_json.out


def test_config_says_who_won(folder):
    def bind(*args, **env):
        shown = hanok("config", "show", "--origin", *args, cwd=folder, env=env).out
        return next(line for line in shown.splitlines() if line.startswith("bind"))

    assert "4141" in bind() and "default" in bind()
    assert "4242" in bind(HANOK_BIND="127.0.0.1:4242") and "HANOK_BIND" in bind(HANOK_BIND="127.0.0.1:4242")
    (folder / "hanok.toml").write_text('[server]\nbind = "127.0.0.1:4343"\n')
    assert "4343" in bind() and "hanok.toml" in bind()
    assert "4242" in bind(HANOK_BIND="127.0.0.1:4242")


def test_config_shows_all_that_holds(folder):
    (folder / "hanok.toml").write_text(
        '[documents]\nparser_time = "5s"\n\n[collections.docs]\npaths = ["docs"]\nchunking = { size = 200 }\n\n'
        '[providers.mine]\nbase_url = "http://127.0.0.1:9/v1"\nheaders = { x-team = "sk-mock-in-a-header" }\n'
        '[prices."mine/*"]\ninput = 1.0\noutput = 2.0\n'
    )
    ran = hanok("config", "show", "--origin", cwd=folder)
    assert ran.code == 0 and "sk-mock" not in ran.out, ran.err
    lines = dict(line.split(" = ", 1) for line in ran.out.splitlines())
    told = {name: tuple(part.strip() for part in line.split("  # ")) for name, line in lines.items()}
    default, file = "default", "file hanok.toml"
    expected = {
        "documents.watch": ("true", default),
        "documents.largest_file": (str(64 << 20), default),
        "documents.parser_memory": (str(512 << 20), default),
        "documents.parser_time": ("5.0", file),
        "documents.private_hosts": ("[]", default),
        "collections.docs.paths": ('["docs"]', file),
        "collections.docs.chunking.by": ('"structure"', default),
        "collections.docs.chunking.size": ("200", file),
        "collections.docs.chunking.whole": ("500", default),
        "collections.docs.chunking.overlap": ("50", default),
        "collections.docs.embedder": ('"none"', default),
        "collections.docs.legs": ('"hybrid"', default),
        "collections.docs.fusion.dense": ("0.55", default),
        "providers.mine.headers.x-team": ('"(not shown)"', file),
        'prices."mine/*".input': ("1.0", file),
        "local.precision": ('"int8"', default),
        "sampling.rate": ("1.0", default),
    }
    assert {name: told.get(name) for name in expected} == expected
    # Every member of these two that the file can have is told, whatever they will be.
    schema = hanok("config", "schema", cwd=folder).json["$defs"]
    assert {f"documents.{name}" for name in schema["Documents"]["properties"]} <= set(told)
    unset = {"query", "top_k", "per_source"}
    for name in set(schema["Collection"]["properties"]) - unset:
        assert any(path == f"collections.docs.{name}" or path.startswith(f"collections.docs.{name}.") for path in told), name
    as_json = hanok("config", "show", "--json", cwd=folder)
    assert "sk-mock" not in as_json.out
    assert as_json.json["settings"]["documents.parser_time"] == {"value": 5.0, "origin": {"from": "file", "name": "hanok.toml"}}


def test_config_check_as_json_tells_the_fault(folder):
    (folder / "hanok.toml").write_text("[servr]\n")
    ran = hanok("config", "check", "--json", cwd=folder)
    assert ran.code == 1
    assert ran.json["ok"] is False and "servr" in ran.json["error"]


def test_init(tmp_path):
    assert hanok("init", cwd=tmp_path).code == 0
    text = (tmp_path / "hanok.toml").read_text()
    assert hanok("config", "check", cwd=tmp_path).code == 0
    (tmp_path / "hanok.toml").write_text("# mine\n")
    refused = hanok("init", cwd=tmp_path)
    assert refused.code == 1 and "--force" in refused.err
    assert (tmp_path / "hanok.toml").read_text() == "# mine\n"
    assert hanok("init", "--force", cwd=tmp_path).code == 0
    assert (tmp_path / "hanok.toml").read_text() == text


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions(run_hanok, shell):
    ran = run_hanok("completions", shell)
    assert ran.code == 0 and "doctor" in ran.out


def test_usage_faults_exit_2(run_hanok):
    for args in (("serch", "x"), ("search",), ("search", "x", "--topk", "3"), ("up", "--bind")):
        ran = run_hanok(*args)
        assert ran.code == 2, args
        assert ran.out == "" and ran.err
    assert "search" in run_hanok("serch", "x").err


def test_logs_can_be_json(upstream, tmp_path):
    with running(tmp_path, providers(upstream), args=["--log-format", "json", "--log", "debug"]) as server:
        server.chat("mock/err500")
        server.stop()
        lines = [line for line in server.stderr.splitlines() if line.startswith("{")]
        assert lines
        for line in lines:
            assert {"timestamp", "level"} <= set(json.loads(line))


# -- eval

def write_beir(folder):
    folder.mkdir()
    corpus = {"d1": "the cat sat on the mat", "d2": "dogs bark at night", "d3": "서울의 밤은 밝다", "d4": "rivers flow to the sea"}
    queries = {"q1": "cat mat", "q2": "barking dog", "q3": "밝은 서울", "q4": "river sea"}
    (folder / "corpus.jsonl").write_text("".join(
        json.dumps({"_id": key, "title": "", "text": text}, ensure_ascii=False) + "\n" for key, text in corpus.items()))
    (folder / "queries.jsonl").write_text("".join(
        json.dumps({"_id": key, "text": text}, ensure_ascii=False) + "\n" for key, text in queries.items()))
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(f"q{n}\td{n}\t1\n" for n in range(1, 5)))


def test_eval_retrieval(tmp_path):
    write_beir(tmp_path / "set")
    ran = hanok("eval", "retrieval", "set", "--json", cwd=tmp_path)
    assert ran.code == 0, ran.err
    result = ran.json
    assert result["schemaVersion"] == 1 and result["queries"] == 4
    assert result["ndcg@10"] == pytest.approx(1.0) and result["recall@10"] == 1.0 and result["recall@100"] == 1.0
    assert result["index_seconds"] > 0
    assert 0 < result["query_ms"]["p50"] <= result["query_ms"]["p99"]


def test_eval_of_what_is_not_there(run_hanok):
    ran = run_hanok("eval", "retrieval", "nowhere", "--json")
    assert ran.code == 1 and "nowhere" in ran.err


@pytest.mark.parametrize("name, least", [("cranfield", 0.372), ("ko-autorag", 0.910)])
def test_search_is_as_good_as_a_strong_bm25(shared, tmp_path, name, least):
    ran = hanok("eval", "retrieval", shared / "data/retrieval" / name, "--json", cwd=tmp_path, timeout=300)
    assert ran.code == 0, ran.err
    assert ran.json["ndcg@10"] >= least
