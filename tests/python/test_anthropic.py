"""What Anthropic's client uses beyond a chat."""

import json

import anthropic
import pytest

import scenes
from clients import CLIENT_KEY, TOOLS
from scenes import ANSWER, THOUGHT, WEATHER
from support import MOCK_KEY, VENDORS


@pytest.fixture(scope="session")
def sdk(house):
    return anthropic.Anthropic(base_url=house.url, api_key=CLIENT_KEY, max_retries=0, timeout=60)


def ask(text="hi"):
    return [{"role": "user", "content": text}]


def bodies(vendors):
    return [json.loads(request["body"]) for request in vendors.requests()]


def test_beta_messages(sdk, vendors):
    answer = sdk.beta.messages.create(
        model="anthropic/text", max_tokens=100, messages=ask(), betas=["context-1m-2025-08-07", "files-api-2025-04-14"],
        # As older releases say it.
        extra_query={"beta": "true"},
    )
    assert answer.content[0].text == ANSWER
    [request] = vendors.requests()
    assert set(request["headers"]["anthropic-beta"].replace(" ", "").split(",")) == {"context-1m-2025-08-07", "files-api-2025-04-14"}
    assert request["path"] == "/anthropic/v1/messages?beta=true"
    assert request["headers"]["x-api-key"] == MOCK_KEY and "authorization" not in request["headers"]


def test_the_clients_version_is_passed_on(sdk, vendors):
    sdk.messages.create(model="anthropic/text", max_tokens=100, messages=ask(), extra_headers={"anthropic-version": "2023-06-01"})
    assert vendors.requests()[0]["headers"]["anthropic-version"] == "2023-06-01"


def test_unknown_blocks_and_cache_marks_are_kept(sdk, vendors):
    system = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    messages = [{"role": "user", "content": [
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a page"}, "citations": {"enabled": True}},
        {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}},
    ]}]
    tools = [{"type": "web_search_20250305", "name": "web_search", "max_uses": 5}]
    sdk.messages.create(model="anthropic/text", max_tokens=100, system=system, messages=messages, tools=tools)
    [body] = bodies(vendors)
    assert (body["system"], body["messages"], body["tools"]) == (system, messages, tools)


@pytest.mark.parametrize("provider", VENDORS)
def test_the_events_of_a_stream(sdk, provider):
    with sdk.messages.stream(model=f"{provider}/think", max_tokens=4096, messages=ask(), thinking={"type": "enabled", "budget_tokens": 1024}) as stream:
        kinds = [event.type for event in stream if event.type not in ("text", "thinking", "signature", "input_json")]
        message = stream.get_final_message()
    collapsed = [kind for at, kind in enumerate(kinds) if at == 0 or kinds[at - 1] != kind]
    collapsed = [kind for kind in collapsed if kind != "ping"]
    block = ["content_block_start", "content_block_delta", "content_block_stop"]
    # Gemini's signature of a text is a block of its own.
    blocks = 3 if provider == "gemini" else 2
    assert collapsed == ["message_start", *block * blocks, "message_delta", "message_stop"]
    assert [part.type for part in message.content] == ["thinking", "text", "thinking"][:blocks]
    assert message.content[0].thinking == THOUGHT.text
    assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0
    assert message.id and message.role == "assistant"


def test_raw_events_have_names(house):
    body = {"model": "openai/text", "max_tokens": 10, "stream": True, "messages": ask()}
    reply = house.post("/v1/messages", body, headers={"anthropic-version": "2023-06-01"})
    assert reply.headers["content-type"].startswith("text/event-stream")
    names = [line.removeprefix("event: ") for line in reply.text.splitlines() if line.startswith("event:")]
    assert names == [event["type"] for event in reply.events]
    assert names[0] == "message_start" and names[-1] == "message_stop"


def test_arguments_stream_as_they_come(sdk):
    partial = []
    tools = [{"name": name, "input_schema": schema} for name, schema in TOOLS.items()]
    with sdk.messages.stream(model="openai/tool", max_tokens=100, messages=ask(), tools=tools) as stream:
        for event in stream:
            if event.type == "input_json":
                partial.append(event.partial_json)
        message = stream.get_final_message()
    assert len(partial) > 3 and json.loads("".join(partial)) == WEATHER.arguments
    assert message.content[-1].input == WEATHER.arguments


@pytest.mark.parametrize("provider", VENDORS)
def test_counting_tokens(sdk, vendors, provider):
    raw = sdk.messages.with_raw_response.count_tokens(model=f"{provider}/text", messages=ask("a question of some words"))
    count = raw.parse().input_tokens
    if provider == "anthropic":
        assert count == 42
        assert vendors.requests()[0]["path"] == "/anthropic/v1/messages/count_tokens"
    else:
        assert 1 <= count < 100
        # What was estimated says so.
        assert count == 42 or "x-hanok-warnings" in raw.headers


def test_models(sdk):
    ids = {model.id: model for model in sdk.models.list(limit=1000)}
    assert {f"anthropic/{name}" for name in scenes.MODELS} <= set(ids)
    assert ids["openai/text"].type == "model" and ids["openai/text"].display_name
    assert sdk.models.retrieve("anthropic/text").id == "anthropic/text"
    with pytest.raises(anthropic.NotFoundError):
        sdk.models.retrieve("anthropic/txt")


def test_errors_have_anthropics_types(sdk):
    for model, kind in [
        ("anthropic/err-429", anthropic.RateLimitError), ("openai/err-400", anthropic.BadRequestError), ("nobody/x", anthropic.NotFoundError),
    ]:
        with pytest.raises(kind) as raised:
            sdk.messages.create(model=model, max_tokens=10, messages=ask())
        assert raised.value.body["type"] == "error"
        assert raised.value.body["error"]["message"]
    assert raised.value.body["error"]["type"] == "not_found_error"


def test_without_max_tokens(house, vendors):
    """Anthropic wants it from its clients; a client of another dialect need not know that."""
    assert house.chat("anthropic/text").status == 200
    [body] = bodies(vendors)
    assert isinstance(body["max_tokens"], int) and body["max_tokens"] >= 1024


def test_images_by_url_and_files_reach_who_can_take_them(sdk, vendors):
    image = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    document = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}}
    message = [{"role": "user", "content": [image, document, {"type": "text", "text": "what?"}]}]
    sdk.messages.create(model="openai/text", max_tokens=10, messages=message)
    [body] = bodies(vendors)
    kinds = {part["type"]: part for part in body["messages"][0]["content"]}
    assert kinds["image_url"]["image_url"]["url"] == "https://example.com/a.png"
    assert kinds["file"]["file"]["file_data"] == "data:application/pdf;base64,JVBERi0="


def test_system_turns_in_the_middle_are_not_lost(house, vendors):
    messages = [
        {"role": "system", "content": "First rule."}, {"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"},
        {"role": "developer", "content": "Second rule."}, {"role": "user", "content": "go"},
    ]
    reply = house.post("/v1/chat/completions", {"model": "anthropic/text", "messages": messages})
    assert reply.status == 200, reply.text
    sent = json.dumps(bodies(vendors)[0])
    assert "First rule." in sent and "Second rule." in sent


def test_two_users_in_a_row(house, vendors):
    messages = [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}]
    for provider in ("anthropic", "gemini"):
        reply = house.post("/v1/chat/completions", {"model": f"{provider}/text", "messages": messages})
        assert reply.status == 200, reply.text
        sent = json.dumps(bodies(vendors)[-1])
        assert "one" in sent and "two" in sent
