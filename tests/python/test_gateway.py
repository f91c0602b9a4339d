"""The OpenAI client through the gateway: models, chat whole and streamed, tools, usage, embeddings."""

import base64
import json
import struct
import time

import openai
import pytest

import upstream as script
from support import MOCK_KEY, by_operation, free_port, providers, running


def ask(text):
    return [{"role": "user", "content": text}]


def text_of(stream):
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


# -- models

def test_models_are_listed_under_the_names_clients_use(gateway):
    ids = {model.id for model in gateway.client().models.list()}
    assert {"mock/echo", "mock/tools", "fast", "hanok/extract"} <= ids
    assert {f"mock/{name}" for name in script.MODELS} <= ids


def test_one_model_can_be_asked_for(gateway):
    assert gateway.client().models.retrieve("mock/echo").id == "mock/echo"
    with pytest.raises(openai.NotFoundError):
        gateway.client().models.retrieve("mock/ehco")


def test_a_collection_is_a_model(library):
    ids = {model.id for model in library.client().models.list()}
    assert {"hanok/extract", "hanok/extract@default"} <= ids


def test_the_list_is_not_slowed_by_a_dead_provider(upstream, tmp_path):
    # Nobody answers here: one refuses, the other takes the connection and keeps silent.
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        dead = f"""
[providers.refused]
dialect = "openai-chat"
base_url = "http://127.0.0.1:{free_port()}/v1"

[providers.silent]
dialect = "openai-chat"
base_url = "http://127.0.0.1:{silent.getsockname()[1]}/v1"
"""
        with running(tmp_path, providers(upstream, dead)) as server:
            start = time.monotonic()
            ids = {model.id for model in server.client().models.list()}
            took = time.monotonic() - start
            assert "mock/echo" in ids
            assert took < 2, f"the list took {took:.1f} s"


# -- chat

@pytest.mark.parametrize("model", ["mock/echo", "fast"])
@pytest.mark.parametrize("path", ["", "/v1"])
def test_chat_whole(gateway, model, path):
    answer = gateway.client(path).chat.completions.create(model=model, messages=ask("두 번 says 2×2 = 4"))
    assert answer.choices[0].message.content == "두 번 says 2×2 = 4"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == 14


@pytest.mark.parametrize("model", ["mock/echo", "fast"])
@pytest.mark.parametrize("path", ["", "/v1"])
def test_chat_streamed(gateway, model, path):
    question = "긴 글 that arrives in many pieces, not in one"
    chunks = list(gateway.client(path).chat.completions.create(model=model, messages=ask(question), stream=True))
    assert text_of(chunks) == question
    assert len(chunks) > 3
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"


def test_a_stream_is_passed_on_as_it_comes(gateway):
    arrivals = []
    for chunk in gateway.client().chat.completions.create(model="mock/slow", messages=ask("x"), stream=True):
        if chunk.choices and chunk.choices[0].delta.content:
            arrivals.append(time.monotonic())
    assert len(arrivals) == len(script.WORDS)
    # 19 pauses of 50 ms: held back, they would come at once.
    assert arrivals[-1] - arrivals[0] > 0.5


def test_parts_of_a_message_are_passed_on(gateway, forgetful):
    content = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    answer = gateway.client().chat.completions.create(model="mock/echo", messages=[{"role": "user", "content": content}])
    assert answer.choices[0].message.content == "one two"


def test_the_provider_gets_its_own_key_and_name(gateway, forgetful):
    gateway.client().chat.completions.create(model="mock/echo", messages=ask("x"))
    [request] = forgetful.requests()
    assert request["headers"]["authorization"] == f"Bearer {MOCK_KEY}"
    assert json.loads(request["body"])["model"] == "echo"


def test_unknown_fields_of_the_request_reach_the_provider_byte_for_byte(gateway, forgetful):
    # Spacing, order, escapes and number forms that parsing and writing again would change.
    tail = (
        b'"messages": [ {"role":"user", "content":"\\u0041 caf\\u00e9", "x_turn": 1.0} ],'
        b'  "temperature": 0.70, "x_vendor": {"deep": [1e2, 0.1000, null], "a": {}}, "seed": 9007199254740993}'
    )
    reply = gateway.post("/v1/chat/completions", b'{"model": "mock/echo", ' + tail)
    assert reply.status == 200, reply.text
    [request] = forgetful.requests()
    assert request["body"] == b'{"model": "echo", ' + tail


def test_unknown_fields_of_the_answer_reach_the_client(gateway):
    answer = gateway.client().chat.completions.create(model="mock/unknown-fields", messages=ask("x"))
    for name, value in script.UNKNOWN.items():
        assert answer.model_extra[name] == value
    assert answer.choices[0].message.model_extra["reasoning_content"] == "thought"
    assert answer.choices[0].message.model_extra["vendor_part"] == {"a": 1}


def test_unknown_fields_of_a_stream_reach_the_client(gateway):
    chunks = list(gateway.client().chat.completions.create(model="mock/unknown-fields", messages=ask("x"), stream=True))
    assert all(chunk.model_extra["vendor_note"] == script.UNKNOWN["vendor_note"] for chunk in chunks)


def test_headers_worth_having_are_passed_on(gateway):
    reply = gateway.chat("mock/echo", stream=True)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.headers.get("x-request-id") == "req_1"


# -- tools

TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for _, name, _ in script.TOOL_CALLS
]


def test_tools_whole(gateway, forgetful):
    answer = gateway.client().chat.completions.create(
        model="mock/tools", messages=ask("x"), tools=TOOLS, tool_choice="required", parallel_tool_calls=True
    )
    calls = [(call.id, call.function.name, call.function.arguments) for call in answer.choices[0].message.tool_calls]
    assert calls == script.TOOL_CALLS
    assert answer.choices[0].finish_reason == "tool_calls"
    sent = json.loads(forgetful.requests()[0]["body"])
    assert sent["tools"] == TOOLS and sent["tool_choice"] == "required" and sent["parallel_tool_calls"] is True


def test_tools_streamed(gateway):
    calls, finish = {}, None
    for chunk in gateway.client().chat.completions.create(
        model="mock/tools", messages=ask("x"), tools=TOOLS, stream=True
    ):
        for choice in chunk.choices:
            finish = choice.finish_reason or finish
            for delta in choice.delta.tool_calls or []:
                call = calls.setdefault(delta.index, ["", "", ""])
                call[0] = delta.id or call[0]
                call[1] = (delta.function and delta.function.name) or call[1]
                call[2] += (delta.function and delta.function.arguments) or ""
    assert [tuple(calls[index]) for index in sorted(calls)] == script.TOOL_CALLS
    assert finish == "tool_calls"


def test_a_tools_answer_goes_back(gateway, forgetful):
    call = {"id": "call_a", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    messages = [
        *ask("weather?"),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_a", "content": "맑음"},
    ]
    gateway.client().chat.completions.create(model="fast", messages=messages)
    assert json.loads(forgetful.requests()[0]["body"])["messages"] == messages


# -- usage

def test_usage_whole(gateway):
    usage = gateway.client().chat.completions.create(model="mock/usage", messages=ask("x")).usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (100, 20)
    assert usage.prompt_tokens_details.cached_tokens == 64
    assert usage.completion_tokens_details.reasoning_tokens == 7


def test_usage_streamed_when_asked_for(gateway):
    chunks = list(
        gateway.client().chat.completions.create(
            model="mock/usage", messages=ask("x"), stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens_details.reasoning_tokens == 7
    assert [chunk.usage is not None for chunk in chunks].count(True) == 1


def test_usage_not_asked_for_is_recorded_but_not_sent(gateway):
    reply = gateway.chat("mock/usage", stream=True)
    chunks = [event for event in reply.events if event != "[DONE]"]
    assert reply.events[-1] == "[DONE]"
    assert all(chunk["choices"] for chunk in chunks), "a usage chunk came that nobody asked for"
    assert all(not chunk.get("usage") for chunk in chunks)
    trace = gateway.trace(reply.headers["x-hanok-trace-id"], spans=2)
    [span] = by_operation(trace, "chat")
    attributes = span["attributes"]
    assert attributes["gen_ai.usage.input_tokens"] == 100
    assert attributes["gen_ai.usage.output_tokens"] == 20


# -- embeddings

def test_embeddings_as_floats(gateway):
    answer = gateway.client().embeddings.create(model="mock/embed", input=["a", "b"], encoding_format="float")
    assert [item.embedding for item in answer.data] == [script.VECTOR, script.VECTOR]
    assert answer.usage.prompt_tokens == 5


def test_embeddings_as_the_client_asks_by_default(gateway, forgetful):
    """The client asks for base64 and decodes it itself."""
    answer = gateway.client().embeddings.create(model="mock/embed", input="a")
    assert answer.data[0].embedding == pytest.approx(script.VECTOR, rel=1e-6)
    assert json.loads(forgetful.requests()[0]["body"])["encoding_format"] == "base64"


def test_embeddings_bytes_are_not_touched(gateway):
    reply = gateway.post("/v1/embeddings", {"model": "mock/embed", "input": "a", "encoding_format": "base64"})
    packed = base64.b64decode(reply.json["data"][0]["embedding"])
    assert struct.unpack("<3f", packed) == pytest.approx(script.VECTOR)


def test_embeddings_are_not_offered_by_answerers(gateway):
    with pytest.raises(openai.APIStatusError) as raised:
        gateway.client().embeddings.create(model="hanok/extract", input="a")
    assert raised.value.status_code in (400, 404, 501)


# -- an answer belongs to a trace

@pytest.mark.parametrize(
    "path, body, status",
    [
        ("/v1/chat/completions", {"model": "mock/echo", "messages": ask("x")}, 200),
        ("/v1/chat/completions", {"model": "mock/echo", "messages": ask("x"), "stream": True}, 200),
        ("/v1/chat/completions", {"model": "mock/err500", "messages": ask("x")}, 502),
        ("/v1/chat/completions", {"model": "nobody/x", "messages": ask("x")}, 404),
        ("/v1/chat/completions", b'{"model": ', 400),
        ("/v1/embeddings", {"model": "mock/embed", "input": "x"}, 200),
        ("/chat/completions", {"model": "mock/echo", "messages": ask("x")}, 200),
    ],
)
def test_every_call_carries_its_trace_id_and_is_kept(gateway, path, body, status):
    reply = gateway.post(path, body)
    assert reply.status == status, reply.text
    trace_id = reply.headers["x-hanok-trace-id"]
    assert len(trace_id) == 32 and int(trace_id, 16)
    assert gateway.trace(trace_id)["trace_id"] == trace_id


def test_health(gateway):
    assert gateway.get("/healthz").status == 200


def test_two_servers_of_one_machine_do_not_meet(upstream, tmp_path):
    with running(tmp_path / "a", providers(upstream)) as one, running(tmp_path / "b", providers(upstream)) as two:
        trace_id = one.chat("fast").headers["x-hanok-trace-id"]
        one.trace(trace_id)
        assert two.get(f"/api/traces/{trace_id}").status == 404


def test_without_configuration_the_main_job_works(tmp_path):
    with running(tmp_path) as server:
        assert {model.id for model in server.client().models.list()} >= {"hanok/extract"}
        answer = server.client().chat.completions.create(model="hanok/extract", messages=ask("anything?"))
        assert answer.choices[0].message.content
