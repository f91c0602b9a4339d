"""Bad days: what a hostile user, a long line or a stop in the middle does."""

import os
import signal
import time

import pytest

from support import Hanok, environment, eventually, hanok, providers


def test_index_beside_a_server_keeps_what_documents_are_called(tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "mill.md").write_text("# The mill\n\nThe windmill turns at noon.\n")
    server = Hanok(tmp_path, '[collections.default]\npaths = ["docs"]\n').start()
    [hit] = server.until_found("windmill noon", "windmill")
    for arguments in (["index"], ["index", "docs"], ["index", "./docs/"], ["index", str(docs)]):
        ran = hanok(*arguments, "--json", cwd=tmp_path)
        assert ran.code == 0, ran.err
        report = ran.json["collections"]["default"]
        assert (report["unchanged"], report["moved"], report["read"]) == (1, 0, 0), arguments
    [again] = server.search("windmill noon")
    assert (again["source"], again["source_id"]) == (hit["source"], hit["source_id"]) == ("docs/mill.md", hit["source_id"])
    server.stop()


def test_a_very_long_line_neither_blocks_its_neighbours_nor_the_end(tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "long.txt").write_text("word forklift " * 300_000)
    (docs / "zebra.md").write_text("# Zebra\n\nThe zebra crossing opens at nine.\n")
    server = Hanok(tmp_path, paths=["docs"]).start()
    server.until_found("zebra crossing", "nine")
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 15


def test_a_client_that_goes_away_is_recorded(upstream, tmp_path):
    server = Hanok(tmp_path, providers(upstream)).start()
    body = {"model": "mock/stall-mid", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    with pytest.raises(Exception):
        server.request("POST", "/v1/chat/completions", body, timeout=1)
    found = eventually(lambda: server.request("GET", "/api/traces?filter=status:error").json["traces"], what="the trace")
    assert "cancelled" in found[0]["error"]
    server.stop()


def test_the_owner_needs_no_key_beside_his_own_server(tmp_path):
    config = '[[keys]]\nname = "alice"\nkey = "env:ALICE"\n'
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "mill.md").write_text("# The mill\n\nThe windmill turns at noon.\n")
    server = Hanok(tmp_path, config, paths=["docs"], env={"ALICE": "sk-alice"}).start()
    eventually(lambda: hanok("ask", "when does the windmill turn?", cwd=tmp_path, env=environment(ALICE="")).code == 0)
    assert server.request("GET", "/api/traces").status == 401
    assert server.request("GET", "/api/traces", headers={"x-hanok-token": "guess"}).status == 401
    server.stop()


@pytest.mark.parametrize(
    "config, part",
    [
        ('[models."hanok/extract"]\ntargets = ["hanok/ask"]\n', "reserved"),
        ('[providers."a/b"]\nbase_url = "http://127.0.0.1:1"\n', "a/b"),
        ('[answers]\ntarget = "nope/x"\n', "nope/x"),
        ('[prices."x/*"]\ninput = nan\noutput = 1.0\n', "0 or more"),
        ('[server]\npublic_url = "ai.example.com"\n', "http://"),
        ("[server]\nbody_limit = 0\n", "body_limit"),
    ],
)
def test_values_that_cannot_work_are_refused(tmp_path, config, part):
    (tmp_path / "hanok.toml").write_text(config)
    for command in (["config", "check"], ["up"]):
        ran = hanok(*command, cwd=tmp_path)
        assert ran.code == 1 and part in ran.err, (command, ran.err)


def test_a_log_level_that_is_none_is_refused(tmp_path):
    ran = hanok("--log", "loud", "doctor", cwd=tmp_path)
    assert ran.code == 1 and "loud" in ran.err


def test_a_glob_that_matches_nothing_is_said_and_ends(tmp_path):
    server = Hanok(tmp_path, paths=["*.zzz"]).start()
    eventually(lambda: "matches" in server.stderr, what="the reason")
    eventually(lambda: not server.request("GET", "/api/status").json["collections"][0]["indexing"], what="the end")
    server.stop()


@pytest.mark.parametrize(
    "path", ["/api/traces?limit=1&limit=2", "/api/traces/%ff", "/api/sources/%ff", "/v1/models/%ff", "/api/traces?limit=-1"]
)
def test_a_bad_address_gets_the_api_shape(gateway, path):
    reply = gateway.request("GET", path)
    assert reply.status in (400, 404)
    assert reply.json["error"]["message"]


def test_a_large_message_makes_no_large_page(gateway):
    body = {"model": "mock/echo", "messages": [{"role": "user", "content": "x" * 3_000_000}]}
    reply = gateway.request("POST", "/v1/chat/completions", body)
    trace_id = reply.headers["x-hanok-trace-id"]
    page = eventually(
        lambda: (lambda got: got if got.status == 200 else None)(gateway.request("GET", f"/traces/{trace_id}")),
        what="the page",
    )
    assert len(page.body) < 500_000
    assert len(gateway.request("GET", f"/api/traces/{trace_id}").body) > 3_000_000


def test_search_without_a_collection_takes_the_only_one(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mill.md").write_text("# The mill\n\nThe windmill turns at noon.\n")
    config = '[collections.handbook]\npaths = ["notes"]\n'
    server = Hanok(tmp_path, config).start()
    found = eventually(lambda: server.request("POST", "/api/search", {"query": "windmill"}).json.get("hits"), what="hits")
    assert "windmill" in found[0]["text"]
    assert "windmill" in hanok("search", "windmill", cwd=tmp_path).out
    server.stop()


def test_two_interrupts_end_at_once(upstream, tmp_path):
    server = Hanok(tmp_path, providers(upstream)).start()
    os.kill(server.process.pid, signal.SIGINT)
    os.kill(server.process.pid, signal.SIGINT)
    assert server.process.wait(10) in (0, 130)
