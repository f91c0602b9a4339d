"""What is kept and for how long: redaction, payloads, sampling, deleting with an audit, copies of the file."""

import json
import sqlite3

import pytest

from support import Hanok, eventually, hanok, providers, running

SECRET = "AKIAIOSFODNN7EXAMPLE"
CONFIG = """
[redaction]
pii = ["email", "phone_kr", "rrn_kr"]

[projects.quiet]
payloads = "off"

[projects.rare]
sampling = { rate = 0, keep = ["errors"] }

[[keys]]
name = "root"
key = "env:ROOT_KEY"
"""
ROOT = {"ROOT_KEY": "sk-root-0001"}
ADMIN = {"authorization": "Bearer sk-root-0001"}


@pytest.fixture
def server(tmp_path, upstream):
    with running(tmp_path, providers(upstream, CONFIG), env=ROOT) as server:
        yield server


def bearer(server, name, project, *more):
    made = hanok("keys", "create", name, "--project", project, "--json", *more, cwd=server.folder, env=ROOT)
    assert made.code == 0, made.err
    return {"authorization": f"Bearer {made.json['secret']}"}


def say(server, text, headers=ADMIN, **more):
    body = {"model": "mock/echo", "messages": [{"role": "user", "content": text}], **more}
    reply = server.post("/v1/chat/completions", body, headers=headers)
    assert reply.status == 200, reply.text
    return reply


def recorded(server, reply):
    trace_id = reply.headers["x-hanok-trace-id"]

    def look():
        found = server.get(f"/api/traces/{trace_id}", headers=ADMIN)
        return found.json if found.status == 200 else None

    return eventually(look, what="the trace")


def test_what_is_found_is_not_stored_and_still_sent(server):
    text = f"key {SECRET}\nmail alice@example.com call 010-2234-5678 id 900101-1234568 or 900101-1234567"
    reply = say(server, text)
    trace = json.dumps(recorded(server, reply), ensure_ascii=False)
    for gone in [SECRET, "alice@example.com", "010-2234-5678", "900101-1234568"]:
        assert gone not in trace
    for there in ["[secret:aws-key-id]", "[email]", "[phone]", "[resident-number]", "900101-1234567"]:
        assert there in trace, trace
    assert "hanok.redactions" in trace
    assert SECRET in reply.text, "what goes to clients and providers stays as it is"


def test_payloads_and_sampling(server):
    quiet, loud = bearer(server, "a", "quiet"), bearer(server, "b", "quiet", "--payloads", "on")
    assert "a-word" not in json.dumps(recorded(server, say(server, "a-word", quiet)))
    assert "a-word" in json.dumps(recorded(server, say(server, "a-word", loud)))
    rare = bearer(server, "c", "rare")
    gone = say(server, "not kept", rare)

    def used():
        listed = hanok("keys", "ls", "--json", cwd=server.folder, env=ROOT).json["keys"]
        return next(key for key in listed if key["name"] == "c")["usage"]["calls"] == 1

    eventually(used, what="the call to be counted")
    assert server.get(f"/api/traces/{gone.headers['x-hanok-trace-id']}", headers=ADMIN).status == 404


def test_deleting_needs_an_admin_and_leaves_a_line(server):
    key = bearer(server, "a", "web")
    for number in range(5):
        recorded(server, say(server, f"project call {number}", key))
    kept = recorded(server, say(server, "another's"))
    assert server.request("DELETE", "/api/traces?filter=project:web", headers=key).status == 403
    assert server.request("DELETE", "/api/traces", headers=ADMIN).status == 400

    rm = lambda *args: hanok("trace", "rm", "--filter", "project:web", *args, cwd=server.folder, env=ROOT)
    dry = rm("--dry-run", "--json")
    assert dry.code == 0 and dry.json["traces"] == 5 and dry.json["dry_run"], dry.err
    assert rm().code == 1, "nobody is there to confirm"
    done = rm("--yes", "--json")
    assert done.code == 0 and done.json["traces"] == 5, done.err
    assert rm("--dry-run", "--json").json["traces"] == 0
    assert server.get(f"/api/traces/{kept['trace_id']}", headers=ADMIN).status == 200
    line = server.get("/api/audit", headers=ADMIN).json["audit"][0]
    assert (line["what"], line["traces"]) == ("delete traces", 5) and line["ended"]
    assert "web" not in line["criterion"]
    assert server.get("/api/audit", headers=key).status == 403
    assert "5 traces" in hanok("audit", cwd=server.folder, env=ROOT).out
    checked = hanok("db", "check", "--json", cwd=server.folder, env=ROOT)
    assert checked.code == 0, checked.out


def test_copies(tmp_path, upstream):
    server = Hanok(tmp_path, providers(upstream)).start()
    first = recorded(server, say(server, "before the copy", headers={}))
    made = hanok("db", "backup", "copy.db", "--json", cwd=tmp_path)
    assert made.code == 0 and made.json["bytes"] > 0, made.err
    assert hanok("db", "backup", "copy.db", cwd=tmp_path).code == 1, "nothing is overwritten"
    later = recorded(server, say(server, "after the copy", headers={}))
    refused = hanok("db", "restore", "copy.db", cwd=tmp_path)
    assert refused.code == 1 and "running" in refused.err
    server.stop()
    done = hanok("db", "restore", "copy.db", "--json", cwd=tmp_path)
    assert done.code == 0, done.err
    shown = lambda trace: hanok("trace", "show", trace["trace_id"], cwd=tmp_path).code
    assert (shown(first), shown(later)) == (0, 1)
    (tmp_path / "torn.db").write_bytes((tmp_path / "copy.db").read_bytes()[:50_000])
    assert hanok("db", "restore", "torn.db", cwd=tmp_path).code == 1
    assert shown(first) == 0, "what was there stays"
    size = hanok("db", "size", "--json", cwd=tmp_path).json
    assert size["used"] <= size["file"] and "traces" in size["tables"]


def test_a_trace_goes_when_its_time_is_over(tmp_path, upstream):
    server = Hanok(tmp_path, providers(upstream)).start()
    trace = recorded(server, say(server, "old", headers={}))
    server.stop()
    with sqlite3.connect(tmp_path / ".hanok" / "hanok.db") as db:
        db.execute("UPDATE traces SET arrived_ms = arrived_ms - 2 * 86400000")
    server = Hanok(tmp_path, providers(upstream, "[retention]\ndays = 1\n")).start()
    path = f"/api/traces/{trace['trace_id']}"
    eventually(lambda: server.get(path).status == 404, what="the trace to go")
    eventually(lambda: server.get("/api/audit").json["audit"], what="its line")
    assert server.get("/api/audit").json["audit"][0]["who"] == "retention"
    server.stop()


@pytest.mark.parametrize(
    "text, said",
    [
        ("[retention]\nday = 1\n", "did you mean `days`?"),
        ("[retention]\ndays = 0\n", "above 0"),
        ('[redaction]\npii = ["emial"]\n', "did you mean `email`?"),
        ("[sampling]\nrate = 2\n", "from 0 (none) to 1 (all)"),
        ('[sampling]\nkeep = ["slow"]\n', "slow>10s"),
        ('[projects.a]\npayloads = "of"\n', "did you mean `off`?"),
    ],
)
def test_mistakes_are_told(tmp_path, text, said):
    (tmp_path / "hanok.toml").write_text(text)
    checked = hanok("config", "check", cwd=tmp_path)
    assert checked.code == 1 and said in checked.err, checked.err
