"""Records asked for: filters, sessions, scores and saved views, over the API and by command."""

import secrets
import time
import urllib.parse

import pytest

from support import Hanok, eventually, hanok, running

ROOT = {"ROOT_KEY": "sk-root-0001"}
ADMIN = {"authorization": "Bearer sk-root-0001"}
PRICED = """
[prices."mock/*"]
input = 1.0
output = 10.0
"""
LOCKED = PRICED + """
[[keys]]
name = "root"
key = "env:ROOT_KEY"
"""


def value(of):
    if isinstance(of, list):
        return {"arrayValue": {"values": [value(one) for one in of]}}
    return {"stringValue": of} if isinstance(of, str) else {"intValue": str(of)}


def attributes(members):
    return [{"key": key, "value": value(of)} for key, of in members.items()]


def span(trace, name, parent=None, span=None, error=None, start=0, seconds=1.0, **members):
    """One span as OTLP's JSON has it; `start` is in seconds from now."""
    began = time.time_ns() + int(start * 1e9)
    return {
        "traceId": trace, "spanId": span or secrets.token_hex(8), "parentSpanId": parent or "", "name": name, "kind": 3,
        "startTimeUnixNano": str(began), "endTimeUnixNano": str(began + int(seconds * 1e9)),
        "attributes": attributes({key.replace("__", "."): of for key, of in members.items()}),
        "status": {"code": 2, "message": error} if error else {"code": 0},
    }


def chat(trace, model="gpt-5", tokens=100, **more):
    """A call of a model, with what it used."""
    return span(trace, f"chat {model}", gen_ai__operation__name="chat", gen_ai__provider__name="mock",
                gen_ai__request__model=model, gen_ai__usage__input_tokens=tokens, gen_ai__usage__output_tokens=tokens // 10,
                **more)


def send(server, *spans, source="shop", headers=None):
    body = {"resourceSpans": [{"resource": {"attributes": attributes({"service.name": source})},
                               "scopeSpans": [{"spans": list(spans)}]}]}
    reply = server.post("/v1/traces", body, headers=headers)
    assert reply.status == 200, reply.text


def new_trace():
    return secrets.token_hex(16)


def found(server, text, headers=None):
    reply = server.get("/api/traces?" + urllib.parse.urlencode({"filter": text, "limit": 100}), headers=headers)
    assert reply.status == 200, reply.text
    return {row["trace_id"] for row in reply.json["traces"]}


@pytest.fixture(scope="module")
def stocked(tmp_path_factory):
    """A server with a conversation of three turns, one of which failed, and two other calls."""
    with running(tmp_path_factory.mktemp("records"), PRICED) as server:
        server.ids = {name: new_trace() for name in ("one", "two", "three", "slow", "plain")}
        ids = server.ids
        turn = {"gen_ai__conversation__id": "support/17 é", "user__id": "alice"}
        send(server, chat(ids["one"], start=-30, **turn, hanok__tags=["beta", "eu"]))
        send(server, chat(ids["two"], start=-20, error="429 rate limited", **turn, hanok__tags=["beta"]))
        send(server, chat(ids["three"], "mistral-large", 5000, start=-10, **turn,
                          gen_ai__prompt__name="greet", hanok__prompt__version="7"))
        send(server, chat(ids["slow"], seconds=9, user__id="bob"), source="batch job")
        send(server, span(ids["plain"], "tidy up"), source="batch job")
        eventually(lambda: found(server, "") == set(ids.values()), what="five traces")
        yield server


FILTERS = [
    ("session:\"support/17 é\"", "one two three"),
    ("session:support*", "one two three"),
    ("session:support", ""),
    ("user:alice", "one two three"),
    ("-user:alice", "slow plain"),
    ("tag:beta", "one two"),
    ("tag:beta tag:eu", "one"),
    ("tag:beta -tag:eu", "two"),
    ("prompt:greet@7", "three"),
    ("prompt:greet", "three"),
    ("source:shop", "one two three"),
    ("source:\"batch job\" -has:user", "plain"),
    ("status:error", "two"),
    ("-status:error model:gpt*", "one slow"),
    ("error:rate", "two"),
    ("has:error", "two"),
    ("model:mistral* model:gpt* user:alice", "one two three"),
    ("-model:gpt*", "three plain"),
    ("tokens>1k", "three"),
    ("tokens>=110 tokens<5000", "one two slow"),
    ("cost>0.001", "three"),
    ("-cost>0.001 has:cost", "one two slow"),
    ("latency>2s", "slow"),
    ("duration<2s has:session", "one two three"),
    ("spans>1", ""),
    ("operation:chat provider:mock", "one two three slow"),
    ("name:tidy*", "plain"),
    ("tidy", "plain"),
    ("since:1h until:2020-01-01", ""),
    ("since:1h", "one two three slow plain"),
]


@pytest.mark.parametrize("text, expect", FILTERS)
def test_a_filter_finds(stocked, text, expect):
    assert found(stocked, text) == {stocked.ids[name] for name in expect.split()}
    ran = hanok("trace", "ls", "--filter", text, "--json", cwd=stocked.folder)
    assert {row["trace_id"] for row in ran.json["traces"]} == {stocked.ids[name] for name in expect.split()}


def test_an_id_finds_its_trace(stocked):
    one = stocked.ids["one"]
    assert found(stocked, f"id:{one}") == found(stocked, f"id:{one[:12]}*") == {one}


@pytest.mark.parametrize("text, at, says", [
    ("a cost:1", 3, "`cost>1`"),
    ("usr:alice", 1, "known are model"),
    ("latency>fast", 1, "`latency>2s`"),
])
def test_a_wrong_filter_says_where(stocked, text, at, says):
    for path in ("/api/traces", "/api/sessions"):
        reply = stocked.get(f"{path}?" + urllib.parse.urlencode({"filter": text}))
        error = reply.json["error"]
        assert (reply.status, error["code"], error["param"]) == (400, "invalid_filter", "filter")
        assert f"at character {at} " in error["message"] and says in error["message"]
    ran = hanok("trace", "ls", "--filter", text, cwd=stocked.folder)
    assert ran.code == 1 and says in ran.err


def test_a_trace_says_whose_it_is(stocked):
    rows = {row["trace_id"]: row for row in stocked.traces()["traces"]}
    one, three = rows[stocked.ids["one"]], rows[stocked.ids["three"]]
    assert (one["session"], one["user"], one["tags"], one["source"]) == ("support/17 é", "alice", ["beta", "eu"], "shop")
    assert three["prompt"] == "greet@7" and "prompt" not in one
    assert "session" not in rows[stocked.ids["plain"]]


# -- sessions

def test_sessions_are_summed_up(stocked):
    page = stocked.get("/api/sessions").json
    assert page["next"] is None
    [session] = page["sessions"]
    assert (session["session_id"], session["traces"], session["errors"]) == ("support/17 é", 3, 1)
    assert (session["input_tokens"], session["output_tokens"]) == (5200, 520)
    assert session["cost_usd"] == pytest.approx((5200 + 5200) / 1e6)
    assert session["user"] == "alice" and session["first_at"] < session["last_at"]
    for text, count in [("user:alice", 1), ("status:error", 1), ("tag:eu", 1), ("user:bob", 0), ("latency>5s", 0)]:
        reply = stocked.get("/api/sessions?" + urllib.parse.urlencode({"filter": text}))
        assert [one["traces"] for one in reply.json["sessions"]] == [3] * count, text
    ran = hanok("trace", "sessions", "--filter", "user:alice", "--json", cwd=stocked.folder)
    assert ran.json["sessions"] == page["sessions"]
    assert "support/17 é" in hanok("trace", "sessions", cwd=stocked.folder).out


def test_a_session_holds_its_turns_in_order(stocked):
    session = stocked.get("/api/sessions/" + urllib.parse.quote("support/17 é", safe="")).json
    assert [turn["trace_id"] for turn in session["turns"]] == [stocked.ids[name] for name in ("one", "two", "three")]
    assert session["traces"] == 3 and session["scores"] == []
    reply = stocked.get("/api/sessions/nobody")
    assert (reply.status, reply.json["error"]["code"]) == (404, "session_not_found")


def test_sessions_come_page_by_page(tmp_path):
    with running(tmp_path) as server:
        for turn in range(3):
            for number in range(7):
                send(server, chat(new_trace(), gen_ai__conversation__id=f"s{number}", user__id=f"u{number % 2}"))
        eventually(lambda: len(found(server, "")) == 21, what="21 traces")
        for filter, expect in [("", "6 5 4 3 2 1 0"), ("user:u0", "6 4 2 0"), ("model:gpt*", "6 5 4 3 2 1 0")]:
            seen, cursor = [], None
            while True:
                query = {"limit": 2, "filter": filter, **({"cursor": cursor} if cursor else {})}
                page = server.get("/api/sessions?" + urllib.parse.urlencode(query)).json
                assert len(page["sessions"]) <= 2
                seen += [session["session_id"][1:] for session in page["sessions"]]
                cursor = page["next"]
                if cursor is None:
                    break
            assert " ".join(seen) == expect, filter


# -- scores

def test_scores_are_kept_shown_overwritten_and_deleted(stocked):
    one = stocked.ids["one"]
    spans = stocked.trace(one)["spans"]
    of_trace = stocked.post("/api/scores", {"trace_id": one, "name": "quality", "value": 0.8, "comment": "good"})
    assert of_trace.status == 200, of_trace.text
    assert of_trace.json["source"] == "client" and of_trace.json["value"] == 0.8
    of_span = stocked.post("/api/scores", {"trace_id": one, "span_id": spans[0]["span_id"], "name": "tone",
                                           "value": "rude", "source": "judge", "id": "j-1"}).json
    truth = stocked.post("/api/scores", {"trace_id": one, "name": "helpful", "value": True, "source": "person"}).json
    shown = stocked.trace(one)["scores"]
    assert shown == [of_trace.json, of_span, truth] and truth["value"] is True
    for text, hit in [("score.quality:>0.5", True), ("score.quality>0.8", False), ("score.tone:rude", True),
                      ("score.tone:R*", True), ("score.tone:kind", False), ("score.helpful:>=1", True), ("has:score", True),
                      ("-has:score", False)]:
        assert (one in found(stocked, text)) == hit, text

    again = stocked.post("/api/scores", {"trace_id": one, "name": "tone", "value": "kind", "id": "j-1"}).json
    assert again["value"] == "kind" and "span_id" not in again
    assert len(stocked.trace(one)["scores"]) == 3
    listed = stocked.get(f"/api/scores?trace_id={one}&name=tone").json
    assert listed["scores"] == [again] and listed["next"] is None
    assert len(stocked.get(f"/api/scores?trace_id={one}&limit=2").json["scores"]) == 2

    assert stocked.request("DELETE", "/api/scores/j-1").json == {"id": "j-1", "deleted": True}
    assert stocked.request("DELETE", "/api/scores/j-1").json["error"]["code"] == "score_not_found"
    assert not found(stocked, "score.tone:kind")


def test_a_session_is_scored(stocked):
    path = "/api/sessions/" + urllib.parse.quote("support/17 é", safe="")
    score = stocked.post("/api/scores", {"session_id": "support/17 é", "name": "solved", "value": False}).json
    assert stocked.get(path).json["scores"] == [score]
    stocked.request("DELETE", f"/api/scores/{score['id']}")
    assert stocked.get(path).json["scores"] == []


@pytest.mark.parametrize("body, param, says", [
    ({"name": "q", "value": 1}, "trace_id", "say what is scored"),
    ({"trace_id": "xyz", "name": "q", "value": 1}, "trace_id", "32 hex digits"),
    ({"trace_id": "0" * 31 + "1", "session_id": "s", "name": "q", "value": 1}, "session_id", "leave out"),
    ({"span_id": "0" * 15 + "1", "name": "q", "value": 1}, "span_id", "with its `trace_id`"),
    ({"trace_id": "0" * 31 + "1", "span_id": "q", "name": "q", "value": 1}, "span_id", "16 hex digits"),
    ({"trace_id": "0" * 31 + "1", "name": "two words", "value": 1}, "name", "without spaces"),
    ({"trace_id": "0" * 31 + "1", "value": 1}, "name", "1 to 64"),
    ({"trace_id": "0" * 31 + "1", "name": "q"}, "value", "a number, true or false, or a label"),
    ({"trace_id": "0" * 31 + "1", "name": "q", "value": [1]}, "value", "a number"),
    ({"trace_id": "0" * 31 + "1", "name": "q", "value": "x" * 201}, "value", "1 to 200"),
    ({"trace_id": "0" * 31 + "1", "name": "q", "value": 1, "source": "cat"}, "source", "person, client, judge"),
    ({"trace_id": "0" * 31 + "1", "name": "q", "value": 1, "valeu": 2}, None, "unknown field `valeu`"),
])
def test_a_wrong_score_says_what_is_wrong(stocked, body, param, says):
    reply = stocked.post("/api/scores", body)
    error = reply.json["error"]
    assert (reply.status, error["code"], error["param"]) == (400, "invalid_request", param)
    assert says in error["message"]


def test_a_score_is_given_by_command(stocked, tmp_path):
    two = stocked.ids["two"]
    for arguments, value in [(("quality", "-0.5"), -0.5), (("right", "true"), True), (("mood", "angry"), "angry")]:
        ran = hanok("trace", "score", two, *arguments, "--comment", "by hand", "--json", cwd=stocked.folder)
        assert ran.code == 0, ran.err
        assert (ran.json["value"], ran.json["source"], ran.json["comment"]) == (value, "person", "by hand")
    assert [score["value"] for score in stocked.trace(two)["scores"]] == [-0.5, True, "angry"]
    assert "quality: -0.5" in hanok("trace", "show", two, cwd=stocked.folder).out
    ran = hanok("trace", "score", two, "two words", "1", cwd=stocked.folder)
    assert ran.code == 1 and "without spaces" in ran.err
    # Without a server, on the folder itself.
    alone = tmp_path / "alone"
    alone.mkdir()
    with running(alone) as server:
        send(server, chat(two))
        server.trace(two)
    ran = hanok("trace", "score", two, "quality", "1", cwd=alone)
    assert ran.code == 0, ran.err
    shown = hanok("trace", "show", two, "--json", cwd=alone).json
    assert [score["value"] for score in shown["scores"]] == [1]


def test_an_acknowledged_score_survives_a_kill(tmp_path):
    server = Hanok(tmp_path).start()
    trace = new_trace()
    # Before its trace, which may come later.
    given = [server.post("/api/scores", {"trace_id": trace, "name": "n", "value": number}).json for number in range(20)]
    server.kill()
    server.start()
    try:
        kept = server.get(f"/api/scores?trace_id={trace}").json["scores"]
        assert kept == given[::-1]
        send(server, chat(trace))
        assert server.trace(trace)["scores"] == given
    finally:
        server.stop()


# -- views

def test_views_are_kept_by_name(stocked):
    first = stocked.post("/api/views", {"name": "Failures", "filter": "status:error  since:7d"}).json
    assert (first["name"], first["filter"]) == ("Failures", "status:error since:7d")
    second = stocked.post("/api/views", {"name": "Failures", "filter": "has:error"}).json
    assert second["id"] == first["id"]
    assert stocked.get("/api/views").json["views"] == [second]
    for body, param, says in [({"name": "x", "filter": "modle:y"}, "filter", "at character 1"),
                              ({"name": " ", "filter": "a"}, "name", "1 to"),
                              ({"name": "x", "filter": " "}, "filter", "empty")]:
        reply = stocked.post("/api/views", body)
        assert (reply.status, reply.json["error"]["param"]) == (400, param) and says in reply.json["error"]["message"]
    assert stocked.request("DELETE", f"/api/views/{second['id']}").status == 200
    assert stocked.request("DELETE", f"/api/views/{second['id']}").json["error"]["code"] == "view_not_found"
    assert stocked.get("/api/views").json["views"] == []


# -- projects

@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    with running(tmp_path_factory.mktemp("locked-records"), LOCKED, env=ROOT) as server:
        def key(name, project):
            ran = hanok("keys", "create", name, "--project", project, "--json", cwd=server.folder, env=ROOT)
            return {"authorization": f"Bearer {ran.json['secret']}"}

        server.web, server.lab = key("w", "web"), key("l", "lab")
        yield server


def test_a_key_sees_its_project_only(locked):
    web, lab = locked.web, locked.lab
    mine, theirs = new_trace(), new_trace()
    send(locked, chat(mine, gen_ai__conversation__id="c"), headers=web)
    send(locked, chat(theirs, gen_ai__conversation__id="c"), headers=lab)
    eventually(lambda: len(found(locked, "", headers=ADMIN)) >= 2, what="both traces")

    # Sessions of one name are two.
    for headers, id in [(web, mine), (lab, theirs)]:
        assert found(locked, "session:c", headers=headers) == {id}
        [session] = locked.get("/api/sessions", headers=headers).json["sessions"]
        assert session["traces"] == 1
        assert [turn["trace_id"] for turn in locked.get("/api/sessions/c", headers=headers).json["turns"]] == [id]
    sessions = locked.get("/api/sessions", headers=ADMIN).json["sessions"]
    assert sorted(session["project"] for session in sessions) == ["lab", "web"]

    # Scores.
    reply = locked.post("/api/scores", {"trace_id": theirs, "name": "q", "value": 1}, headers=web)
    assert (reply.status, reply.json["error"]["code"]) == (404, "trace_not_found")
    score = locked.post("/api/scores", {"trace_id": mine, "name": "q", "value": 1, "id": "x"}, headers=web).json
    assert (score["project"], score["author"]) == ("web", "w")
    assert locked.get("/api/scores", headers=lab).json["scores"] == []
    assert locked.request("DELETE", "/api/scores/x", headers=lab).status == 404
    reply = locked.post("/api/scores", {"trace_id": mine, "name": "q", "value": 1, "project": "lab"}, headers=web)
    assert (reply.status, reply.json["error"]["code"]) == (403, "other_project")
    # One of a trace that is not there yet is seen in no other project, whatever comes under its id.
    later = new_trace()
    locked.post("/api/scores", {"trace_id": later, "name": "planted", "value": 1}, headers=lab)
    send(locked, chat(later), headers=web)
    eventually(lambda: locked.get(f"/api/traces/{later}", headers=web).status == 200, what="the trace")
    assert "scores" not in locked.get(f"/api/traces/{later}", headers=web).json
    assert not found(locked, "has:score score.planted:>0", headers=web)
    # An admin's goes to its trace's project.
    score = locked.post("/api/scores", {"trace_id": theirs, "name": "q", "value": 2}, headers=ADMIN).json
    assert score["project"] == "lab"
    assert score in locked.get(f"/api/traces/{theirs}", headers=lab).json["scores"]

    # Views.
    locked.post("/api/views", {"name": "v", "filter": "a"}, headers=web)
    locked.post("/api/views", {"name": "v", "filter": "b"}, headers=lab)
    [view] = locked.get("/api/views", headers=web).json["views"]
    assert (view["filter"], view["project"]) == ("a", "web")
    assert locked.request("DELETE", f"/api/views/{view['id']}", headers=lab).status == 404
    assert len(locked.get("/api/views", headers=ADMIN).json["views"]) == 2


def test_a_trace_in_pieces_is_summed_up_once(stocked):
    trace, root, outer, inner = new_trace(), *(secrets.token_hex(8) for _ in range(3))
    part = dict(start=0, hanok__tags=["pieces"])
    pieces = [
        chat(trace, tokens=100, parent=root, span=outer, **part),
        chat(trace, tokens=90, parent=outer, span=inner, **part),
        span(trace, "agent", span=root, seconds=3, gen_ai__operation__name="invoke_agent", **part),
    ]
    for piece in [pieces[1], pieces[0], pieces[1], pieces[2], pieces[0]]:
        send(stocked, piece)
    row = eventually(lambda: [row for row in stocked.traces(filter="tag:pieces name:agent")["traces"]], what="it")[0]
    # The inner call alone: the outer one repeats it.
    assert (row["input_tokens"], row["output_tokens"]) == (90, 9)
    assert row["cost_usd"] == pytest.approx((90 + 90) / 1e6)
    assert len(stocked.trace(trace)["spans"]) == 3
