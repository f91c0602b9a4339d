"""Bad input and faulty providers: a clear error in OpenAI's shape, and nothing lost."""

import json
import re
import socket
import time

import openai
import pytest

from support import MOCK_KEY, free_port, providers, running


def ask(text):
    return [{"role": "user", "content": text}]


def problem(reply, status):
    """The error of a refused call, its shape checked."""
    assert reply.status == status, reply.text
    assert reply.headers["content-type"].startswith("application/json")
    error = reply.json["error"]
    assert isinstance(error["message"], str) and error["message"]
    assert isinstance(error["type"], str)
    assert {"code", "param"} <= set(error)
    return error


# -- what the client got wrong

def test_malformed_json_is_told_with_its_position(gateway):
    error = problem(gateway.post("/v1/chat/completions", b'{"model": "mock/echo",\n "messages": [}'), 400)
    assert re.search(r"line 2,? column 1[34]", error["message"]) or re.search(r"byte|offset", error["message"]), error


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"model": 5, "messages": []}',
        b'{"model": "", "messages": []}',
        b'{"model": "mock/echo", "messages": [}',
        b'\xff\xfe{"model": "mock/echo"}',
        b'{"model": "mock/echo", "messages": [], "stream": "yes"}',
        b"[" * 5000,
        b'{"model": "hanok/extract", "messages": 7}',
        b'{"model": "hanok/extract", "messages": []}',
        b'{"model": "hanok/extract", "messages": [{"role": "wizard", "content": "x"}]}',
    ],
)
def test_a_bad_body_is_a_bad_request(gateway, body):
    problem(gateway.post("/v1/chat/completions", body), 400)


def test_an_unknown_model_offers_the_nearest(gateway):
    gateway.client().models.list()
    with pytest.raises(openai.NotFoundError) as raised:
        gateway.client().chat.completions.create(model="mock/ehco", messages=ask("x"))
    # A provider may know models that it does not list, so it is asked; its refusal comes with the nearest names.
    assert "mock/echo" in raised.value.message
    with pytest.raises(openai.NotFoundError) as raised:
        gateway.client().chat.completions.create(model="fats", messages=ask("x"))
    assert "fast" in raised.value.message
    assert raised.value.body["code"] == "model_not_found"
    with pytest.raises(openai.NotFoundError) as raised:
        gateway.client().chat.completions.create(model="hanok/extrac", messages=ask("x"))
    assert "hanok/extract" in raised.value.message


def test_an_unknown_collection_names_the_known_ones(library):
    with pytest.raises(openai.NotFoundError) as raised:
        library.client().chat.completions.create(model="hanok/extract@defualt", messages=ask("x"))
    assert "default" in raised.value.message


@pytest.mark.parametrize("chunked", [False, True])
def test_an_oversized_body_is_told_the_limit(upstream, tmp_path, chunked):
    with running(tmp_path, providers(upstream, '[server]\nbody_limit = "1MB"\n')) as server:
        body = json.dumps({"model": "fast", "messages": ask("x" * 1_200_000)}).encode()
        reply = server.post("/v1/chat/completions", iter([body]) if chunked else body)
        error = problem(reply, 413)
        assert re.search(r"1 ?MB|1000000|1,000,000|1048576", error["message"]), error
        assert server.chat("fast", "still here").json["choices"][0]["message"]["content"] == "still here"


def test_unknown_routes_and_methods_have_the_shape_too(gateway):
    problem(gateway.get("/v1/nothing-here"), 404)
    problem(gateway.get("/v1/chat/completions"), 405)
    problem(gateway.get("/api/traces/" + "0" * 31 + "1"), 404)


# -- what the provider got wrong

WHOLE = {
    "err429": (429, openai.RateLimitError),
    "err500": (502, openai.InternalServerError),
    "err401": (502, openai.InternalServerError),
    "badjson": (502, openai.InternalServerError),
    "html200": (502, openai.InternalServerError),
    "cut": (502, openai.InternalServerError),
    "cut-clean": (502, openai.InternalServerError),
    "no-such-model": (404, openai.NotFoundError),
}


@pytest.mark.parametrize("model", WHOLE)
@pytest.mark.parametrize("stream", [False, True])
def test_a_fault_before_the_first_word_is_an_error_status(gateway, model, stream):
    if stream and model in ("cut", "cut-clean", "badjson"):
        return  # these begin well; see the next test
    status, kind = WHOLE[model]
    with pytest.raises(kind) as raised:
        answer = gateway.client().chat.completions.create(model=f"mock/{model}~{stream}", messages=ask("x"), stream=stream)
        list(answer)
    assert raised.value.status_code == status
    assert raised.value.body["message"]


@pytest.mark.parametrize("model", ["cut", "cut-clean", "badjson-stream", "refuse-stream-error"])
def test_a_fault_in_the_middle_is_an_explicit_error(gateway, model):
    seen = ""
    with pytest.raises(openai.APIError) as raised:
        for chunk in gateway.client().chat.completions.create(model=f"mock/{model}", messages=ask("x"), stream=True):
            for choice in chunk.choices:
                assert choice.finish_reason is None, "a broken answer looks complete"
                seen += choice.delta.content or ""
    assert seen.startswith("half")
    assert raised.value.message
    # Not a torn connection: an event that says what happened.
    assert not isinstance(raised.value, openai.APIConnectionError)


@pytest.mark.parametrize("model", ["cut", "cut-clean", "badjson-stream", "refuse-stream-error"])
def test_a_broken_stream_never_says_done_before_its_error(gateway, model):
    events = gateway.chat(f"mock/{model}", stream=True).events
    errors = [at for at, event in enumerate(events) if event != "[DONE]" and event.get("error")]
    assert len(errors) == 1
    assert all(event != "[DONE]" for event in events[: errors[0]])


@pytest.mark.parametrize("model", ["cut", "cut-clean", "badjson-stream", "refuse-stream-error", "err500", "err401", "html200"])
def test_a_fault_is_kept_as_one(gateway, model):
    reply = gateway.chat(f"mock/{model}~kept", stream=True)
    trace = gateway.trace(reply.headers["x-hanok-trace-id"], spans=2)
    assert {span["status"] for span in trace["spans"]} == {"error"}
    assert all(span["attributes"].get("error.type") for span in trace["spans"])


def test_retry_after_is_passed_on(gateway):
    assert gateway.chat("mock/err429").headers["retry-after"] == "1"


@pytest.mark.parametrize("stream", [False, True])
def test_a_providers_key_reaches_nobody(gateway, stream):
    reply = gateway.chat(f"mock/err401~secret{stream}", stream=stream)
    assert reply.status == 502
    assert MOCK_KEY not in reply.text and MOCK_KEY[:12] not in reply.text
    trace_id = reply.headers["x-hanok-trace-id"]
    gateway.trace(trace_id)
    assert MOCK_KEY not in gateway.get(f"/api/traces/{trace_id}").text
    assert MOCK_KEY not in gateway.get(f"/traces/{trace_id}").text
    assert MOCK_KEY not in gateway.stderr


@pytest.mark.parametrize("stream", [False, True])
def test_a_provider_that_refuses_the_connection(upstream, tmp_path, stream):
    dead = f'[providers.dead]\ndialect = "openai-chat"\nbase_url = "http://127.0.0.1:{free_port()}/v1"\n'
    with running(tmp_path, providers(upstream, dead)) as server:
        start = time.monotonic()
        error = problem(server.chat("dead/x", stream=stream), 502)
        assert "dead" in error["message"]
        assert time.monotonic() - start < 5


PATIENCE = 1.0


@pytest.fixture(scope="module")
def impatient(upstream, tmp_path_factory):
    """A server that waits for a provider one second only."""
    config = f"""
[providers.mock]
dialect = "openai-chat"
base_url = "{upstream.url}/v1"
response_timeout = {PATIENCE}
idle_timeout = {PATIENCE}
"""
    with running(tmp_path_factory.mktemp("impatient"), config) as server:
        yield server


@pytest.mark.parametrize("stream", [False, True])
def test_a_provider_that_stalls_before_the_first_word(impatient, stream):
    start = time.monotonic()
    reply = impatient.chat("mock/stall", stream=stream)
    assert PATIENCE * 0.8 < time.monotonic() - start < PATIENCE + 10
    if reply.status == 200:
        [error] = [event["error"] for event in reply.events if event != "[DONE]" and event.get("error")]
        assert error["message"]
    else:
        problem(reply, 504)


def test_a_provider_that_stalls_in_the_middle(impatient):
    reply = impatient.chat("mock/stall-mid", stream=True)
    events = [event for event in reply.events if event != "[DONE]"]
    assert events[0]["choices"][0]["delta"]["content"] == "half "
    assert "error" in events[-1]


def test_a_client_that_goes_away_ends_the_call(gateway):
    body = json.dumps({"model": "mock/stall-mid", "messages": ask("x"), "stream": True}).encode()
    host, port = gateway.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as sock:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: {host}:{port}\r\ncontent-type: application/json\r\n"
        sock.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        seen = b""
        while b"half" not in seen:
            seen += sock.recv(65536)
    trace_id = re.search(rb"x-hanok-trace-id: ([0-9a-f]{32})", seen).group(1).decode()
    trace = gateway.trace(trace_id, spans=2)
    assert {span["attributes"]["error.type"] for span in trace["spans"]} == {"cancelled"}


def test_a_second_target_answers_when_the_first_cannot(upstream, tmp_path):
    config = f"""
[providers.dead]
dialect = "openai-chat"
base_url = "http://127.0.0.1:{free_port()}/v1"

[providers.mock]
dialect = "openai-chat"
base_url = "{upstream.url}/v1"

[models.sure]
targets = ["dead/x", "mock/err500", "mock/echo"]
"""
    with running(tmp_path, config) as server:
        reply = server.chat("sure", "through")
        assert reply.json["choices"][0]["message"]["content"] == "through"
        trace = server.trace(reply.headers["x-hanok-trace-id"], spans=4)
        assert [span["status"] for span in trace["spans"]].count("error") == 2
