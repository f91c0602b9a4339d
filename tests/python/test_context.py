"""Whose a call is: the trace it is made in, its session, user, tags and prompt, however they are told."""

import pytest

from support import by_operation, providers, running

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


@pytest.fixture(scope="module")
def server(upstream, tmp_path_factory):
    with running(tmp_path_factory.mktemp("context"), providers(upstream)) as server:
        yield server


def ask(server, headers=None, **more):
    body = {"model": "fast", "messages": [{"role": "user", "content": "hello"}], **more}
    reply = server.request("POST", "/v1/chat/completions", body, headers=headers or {})
    assert reply.status == 200, reply.text
    return reply.headers["x-hanok-trace-id"]


def sent(upstream):
    return upstream.requests()[-1]["headers"]


@pytest.mark.parametrize("flags", ["00", "01"])
def test_a_call_lands_in_its_callers_trace_and_so_does_what_it_calls(server, upstream, flags):
    upstream.forget()
    trace = TRACE[:-2] + flags
    headers = {"traceparent": f"00-{trace}-{PARENT}-{flags}", "tracestate": "vendor=1,other=2"}
    assert ask(server, headers) == trace
    found = server.trace(trace, spans=2)
    gateway, chat = by_operation(found, "gateway")[0], by_operation(found, "chat")[0]
    assert gateway["parent_id"] == PARENT
    assert chat["parent_id"] == gateway["span_id"]
    assert sent(upstream)["traceparent"] == f"00-{trace}-{chat['span_id']}-{flags}"
    assert sent(upstream)["tracestate"] == "vendor=1,other=2"


@pytest.mark.parametrize("parent", [None, "00-xyz-abc-01", f"ff-{TRACE}-{PARENT}-01", f"00-{'0' * 32}-{PARENT}-01"])
def test_without_a_callers_trace_there_is_one_of_our_own_and_nobody_is_told(server, upstream, parent):
    upstream.forget()
    trace = ask(server, {"traceparent": parent} if parent else {})
    assert trace != TRACE
    assert by_operation(server.trace(trace, spans=2), "gateway")[0]["parent_id"] is None
    assert "traceparent" not in sent(upstream)


def test_two_calls_of_one_trace_are_one_trace(server):
    trace = TRACE[:-2] + "77"
    headers = {"traceparent": f"00-{trace}-{PARENT}-01"}
    assert ask(server, headers) == ask(server, headers) == trace
    found = server.trace(trace, spans=4)
    assert len(by_operation(found, "gateway")) == 2 and len(found["spans"]) == 4


@pytest.mark.parametrize(
    "headers, body, expect",
    [
        (
            {"x-hanok-session": "s-1", "x-hanok-user": "alice", "x-hanok-tags": "beta, eu", "x-hanok-prompt": "greet@3"},
            {},
            {"session": "s-1", "user": "alice", "tags": ["beta", "eu"], "prompt": "greet@3"},
        ),
        ({}, {"user": "bob"}, {"user": "bob", "session": None}),
        (
            {},
            {"metadata": {"session_id": "s-2", "user_id": "carol", "tags": "a,b"}},
            {"session": "s-2", "user": "carol", "tags": ["a", "b"]},
        ),
        ({"x-hanok-user": "by-header"}, {"user": "by-body"}, {"user": "by-header"}),
        ({}, {}, {"session": None, "user": None, "prompt": None}),
    ],
)
def test_session_user_tags_and_prompt(server, headers, body, expect):
    found = server.trace(ask(server, headers, **body), spans=2)["summary"]
    for name, value in expect.items():
        assert found.get(name) == value, name


def test_a_coding_agents_user_holds_its_session(server):
    body = {
        "model": "fast",
        "max_tokens": 16,
        "messages": [{"role": "user", "content": "hello"}],
        "metadata": {"user_id": "user_1f_account__session_9c"},
    }
    reply = server.post("/v1/messages", body)
    assert reply.status == 200, reply.text
    found = server.trace(reply.headers["x-hanok-trace-id"], spans=2)["summary"]
    assert (found.get("user"), found.get("session")) == ("user_1f_account_", "9c")
