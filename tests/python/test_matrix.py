"""Every client before every provider: what is said arrives whole, and what goes back arrives unharmed."""

import base64
import functools
import json

import pytest

import scenes
from clients import CLIENTS, RED_DOT, SCHEMA, TOOLS
from dialects import DIALECTS
from scenes import ANSWER, COUNTED, REFUSED, SIGNED, STRUCTURED, THOUGHT, TIME, WEATHER, Usage
from support import MOCK_KEY, VENDORS

# Where a provider's call ids are its own and must come back as they were.
IDS_KEPT = ("openai", "azure", "responses", "anthropic")
# Who signs thoughts.
SIGNERS = ("responses", "anthropic", "gemini")
DIRECT = {"openai-chat": "/openai/v1", "openai-responses": "/responses/v1", "anthropic": "/anthropic", "gemini": "/gemini", "ollama": "/ollama"}

# One of each kind for all tests: a client loads certificates when it is made.
client_of = functools.cache(lambda kind, url: kind(url))

every_client = pytest.mark.parametrize("kind", CLIENTS, ids=lambda kind: kind.name)
every_provider = pytest.mark.parametrize("provider", VENDORS)
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def matrix(test):
    return every_client(every_provider(both_ways(test)))


def arrived(vendors, provider):
    """The one request that came to a vendor since it forgot, in common words, and with its head."""
    [request] = vendors.requests()
    body = json.loads(request["body"])
    asked = DIALECTS[VENDORS[provider][0]].read(body)
    vendors.forget()
    return {**asked, "path": request["path"], "headers": request["headers"], "body": body}


def parts(asked, kind):
    return [part for turn in asked["turns"] for part in turn["parts"] if part[0] == kind]


def counted(kind, provider):
    """What of `COUNTED` a provider can tell, and a client can show."""
    cached = COUNTED.cached if provider != "ollama" and kind.name != "ollama" else 0
    reasoning = COUNTED.reasoning if provider not in ("ollama", "anthropic") and kind.name not in ("ollama", "anthropic") else 0
    return Usage(COUNTED.input, COUNTED.output, cached, reasoning)


@every_client
@both_ways
@pytest.mark.parametrize("scene", ["text", "tools", "think"])
def test_the_vendors_speak_what_their_own_clients_understand(vendors, kind, stream, scene):
    """Without anything between: the scripts are right."""
    client = kind(vendors.url, DIRECT[kind.name], key="sk-direct")
    said = client.ask(scene, "hi", tools=TOOLS if scene == "tools" else None, thinking=scene == "think", stream=stream)
    if scene == "tools":
        assert said.names_and_arguments == [(WEATHER.name, WEATHER.arguments), (TIME.name, TIME.arguments)]
        assert client.go_on(said, ["맑음", "09:00"], stream).text == "tools said: 맑음; 09:00"
    else:
        assert said.text == ANSWER and (said.thought == THOUGHT.text) == (scene == "think")


@matrix
def test_text(house, vendors, kind, provider, stream):
    said = client_of(kind, house.url).ask(f"{provider}/text", "안녕 — \"hi\"\n", system="Be brief.", most=500, stream=stream)
    assert (said.text, said.finish, said.calls) == (ANSWER, "stop", [])
    assert said.usage == Usage(11, 7)
    if stream:
        assert said.pieces > 3, "a stream came in one piece"
    asked = arrived(vendors, provider)
    assert asked["turns"] == [{"role": "user", "parts": [("text", "안녕 — \"hi\"\n")]}]
    assert asked["system"] == "Be brief."
    assert asked["max_tokens"] == 500
    check_head(provider, asked, stream)


def check_head(provider, asked, stream):
    headers = asked["headers"]
    match provider:
        case "anthropic":
            assert headers["x-api-key"] == MOCK_KEY and headers["anthropic-version"]
            assert asked["path"].split("?")[0] == "/anthropic/v1/messages"
        case "gemini":
            assert headers["x-goog-api-key"] == MOCK_KEY
            verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
            assert asked["path"] == f"/gemini/v1beta/models/text:{verb}"
        case "azure":
            assert headers["api-key"] == MOCK_KEY
            assert asked["path"] == "/azure/openai/deployments/text/chat/completions?api-version=2024-10-21"
        case _:
            assert headers["authorization"] == f"Bearer {MOCK_KEY}"
    if provider != "gemini":
        assert asked["body"]["model"] == "text"


@matrix
def test_tools_in_two_turns(house, vendors, kind, provider, stream):
    client = client_of(kind, house.url)
    said = client.ask(f"{provider}/tools", "weather and time?", tools=TOOLS, stream=stream)
    assert said.names_and_arguments == [(WEATHER.name, WEATHER.arguments), (TIME.name, TIME.arguments)]
    assert (said.text, said.finish) == ("Two at once.", "tool")
    if kind.name not in ("ollama", "gemini"):
        ids = [call[0] for call in said.calls]
        assert all(ids) and len(set(ids)) == 2
        if provider in IDS_KEPT:
            assert ids == [WEATHER.id, TIME.id]
    asked = arrived(vendors, provider)
    assert asked["tools"] == list(TOOLS)

    after = client.go_on(said, ["맑음, 21°", "09:00\n\"KST\""], stream)
    assert (after.text, after.finish) == ("tools said: 맑음, 21°; 09:00\n\"KST\"", "stop")
    asked = arrived(vendors, provider)
    assert [turn["role"] for turn in asked["turns"]] == ["user", "assistant", "tool"]
    texts = ["".join(part[1] for part in turn["parts"] if part[0] == "text") for turn in asked["turns"]]
    assert texts == ["weather and time?", "Two at once.", ""]
    calls, results = parts(asked, "call"), parts(asked, "result")
    assert [call[2:] for call in calls] == [(WEATHER.name, WEATHER.arguments), (TIME.name, TIME.arguments)]
    assert [result[2] for result in results] == ["맑음, 21°", "09:00\n\"KST\""]
    # Each result answers its call, by id or, where a dialect has none, by name.
    assert all(result[1] in (call[1], call[2]) for call, result in zip(calls, results, strict=True))
    if provider in IDS_KEPT and kind.name != "ollama":
        assert [call[1] for call in calls] == [WEATHER.id, TIME.id]


@matrix
def test_a_forced_tool(house, vendors, kind, provider, stream):
    if kind.name == "ollama":
        return  # has no way to ask for it
    said = client_of(kind, house.url).ask(f"{provider}/tool", "weather?", tools=TOOLS, choice="get_weather", stream=stream)
    assert said.names_and_arguments == [(WEATHER.name, WEATHER.arguments)]
    if provider != "ollama":
        assert arrived(vendors, provider)["choice"] == "get_weather"


@matrix
def test_thinking_is_shown_and_signed_thoughts_come_back(house, vendors, kind, provider, stream):
    client = client_of(kind, house.url)
    said = client.ask(f"{provider}/think-tool", "weather?", tools=TOOLS, thinking=True, stream=stream)
    assert said.thought == THOUGHT.text
    assert said.names_and_arguments == [(SIGNED.name, SIGNED.arguments)]
    asked = arrived(vendors, provider)
    match provider:
        case "anthropic":
            assert asked["body"]["thinking"]["type"] in ("enabled", "adaptive")
        case "gemini":
            config = asked["body"]["generationConfig"]["thinkingConfig"]
            # Google's own client writes the second spelling, which goes to Google as it is.
            assert config.get("includeThoughts") or config.get("include_thoughts")
        case "responses":
            assert asked["body"]["reasoning"] and "reasoning.encrypted_content" in asked["body"]["include"]
        case "ollama":
            assert asked["body"]["think"]
        case _:
            assert asked["body"]["reasoning_effort"]

    after = client.go_on(said, ["맑음"], stream)
    assert after.text == "tools said: 맑음"
    thoughts = parts(arrived(vendors, provider), "thought")
    # Ollama's client has no place for a signature.
    if provider in SIGNERS and kind.name != "ollama":
        signatures = [signature for *_, signature in thoughts if signature]
        # Gemini signs the call, the thought before it goes unsigned.
        assert signatures == [SIGNED.signature if provider == "gemini" else THOUGHT.signature]


@matrix
def test_thinking_before_a_text(house, vendors, kind, provider, stream):
    said = client_of(kind, house.url).ask(f"{provider}/think", "why?", thinking=True, stream=stream)
    assert (said.text, said.thought, said.finish) == (ANSWER, THOUGHT.text, "stop")
    assert said.usage == counted(kind, provider)


@matrix
def test_an_image_arrives(house, vendors, kind, provider, stream):
    said = client_of(kind, house.url).ask(f"{provider}/image", "what is this?", image=RED_DOT, stream=stream)
    assert said.text == "I see one red dot."
    [image] = parts(arrived(vendors, provider), "image")
    assert image[1] in ("image/png", None)
    assert base64.b64decode(image[2]) == RED_DOT


@matrix
def test_structured_output(house, vendors, kind, provider, stream):
    said = client_of(kind, house.url).ask(f"{provider}/structured", "a house", schema=SCHEMA, stream=stream)
    assert json.loads(said.text) == STRUCTURED
    schema = arrived(vendors, provider)["schema"]
    assert schema["properties"].keys() == SCHEMA["properties"].keys()
    assert schema["required"] == SCHEMA["required"]


@matrix
def test_a_refusal_is_one(house, vendors, kind, provider, stream):
    said = client_of(kind, house.url).ask(f"{provider}/refusal", "something bad", stream=stream)
    if provider == "ollama":
        assert said.text == REFUSED
    elif kind.name == "ollama":
        assert said.text == (REFUSED if provider != "gemini" else "")
    else:
        assert said.finish == "refusal" or said.refusal == REFUSED


@matrix
def test_usage(house, vendors, kind, provider, stream):
    said = client_of(kind, house.url).ask(f"{provider}/usage", "count", stream=stream)
    assert said.text == "counted"
    assert said.usage == counted(kind, provider)


@matrix
def test_an_answer_out_of_tokens_says_so(house, vendors, kind, provider, stream):
    said = client_of(kind, house.url).ask(f"{provider}/long", "a novel", stream=stream)
    assert (said.text, said.finish) == ("This ends where the tokens", "length")


# What a client is told for what a vendor says. A vendor's own key is none of the client's business.
STATUS = {
    "err-400": (400,), "err-401": (502,), "err-403": (502,), "err-404": (404,), "err-429": (429,), "err-500": (502,),
    "err-503": (502, 503, 529),
}


@pytest.mark.parametrize("model", scenes.ERRORS)
@matrix
def test_errors_in_the_clients_own_shape(house, vendors, kind, provider, stream, model):
    client = client_of(kind, house.url)
    with pytest.raises(Exception) as raised:
        # A target of its own: the breaker of one must not answer for the next.
        client.ask(f"{provider}/{model}~{kind.name}{stream}", "hi", stream=stream)
    told = client.fault(raised.value)
    assert told, f"not an error of the client's own: {raised.value!r}"
    assert told[0] in STATUS[model], told
    assert MOCK_KEY not in told[1]


@every_client
@both_ways
def test_an_unknown_model(house, kind, stream):
    client = client_of(kind, house.url)
    with pytest.raises(Exception) as raised:
        client.ask("antropic/text", "hi", stream=stream)
    status, message = client.fault(raised.value)
    assert status == 404 and "anthropic" in message
