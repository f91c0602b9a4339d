"""What Ollama's client and editors use beyond a chat."""

import json

import ollama
import pytest

import vendors as script
from clients import CLIENT_KEY, RED_DOT, SCHEMA
from dialects import DIALECTS
from scenes import ANSWER, STRUCTURED, THOUGHT
from support import VENDORS


@pytest.fixture(scope="session")
def sdk(house):
    return ollama.Client(host=house.url, headers={"authorization": f"Bearer {CLIENT_KEY}"}, timeout=60)


def bodies(vendors):
    return [json.loads(request["body"]) for request in vendors.requests()]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", VENDORS)
def test_generate(sdk, vendors, provider, stream):
    made = sdk.generate(model=f"{provider}/text", prompt="하나", system="Be brief.", options={"num_predict": 50}, stream=stream)
    parts = list(made) if stream else [made]
    assert "".join(part.response for part in parts) == ANSWER
    assert parts[-1].done and parts[-1].done_reason == "stop" and not any(part.done for part in parts[:-1])
    assert (parts[-1].prompt_eval_count, parts[-1].eval_count) == (11, 7)
    [body] = bodies(vendors)
    asked = DIALECTS[VENDORS[provider][0]].read(body)
    assert (asked["system"], asked["max_tokens"]) == ("Be brief.", 50)
    assert asked["turns"] == [{"role": "user", "parts": [("text", "하나")]}]


@pytest.mark.parametrize("provider", VENDORS)
def test_generate_with_thoughts_images_and_form(sdk, vendors, provider):
    said = sdk.generate(model=f"{provider}/think", prompt="why?", think=True)
    assert (said.thinking, said.response) == (THOUGHT.text, ANSWER)
    assert sdk.generate(model=f"{provider}/image", prompt="?", images=[RED_DOT]).response == "I see one red dot."
    assert json.loads(sdk.generate(model=f"{provider}/structured", prompt="?", format=SCHEMA).response) == STRUCTURED


def test_a_stream_is_the_default(house):
    reply = house.post("/api/chat", {"model": "openai/text", "messages": [{"role": "user", "content": "hi"}]})
    assert reply.headers["content-type"].startswith("application/x-ndjson")
    lines = [json.loads(line) for line in reply.text.splitlines()]
    assert len(lines) > 3 and lines[-1]["done"] is True
    assert {line["model"] for line in lines} == {"openai/text"}
    assert all(line["created_at"] for line in lines)


@pytest.mark.parametrize("provider", ["ollama", "openai", "gemini"])
def test_embed(sdk, vendors, provider):
    made = sdk.embed(model=f"{provider}/text", input=["a", "b"])
    assert len(made.embeddings) == 2
    assert list(made.embeddings[0]) == pytest.approx(script.VECTOR, rel=1e-6)
    assert len(sdk.embed(model=f"{provider}/text", input="a").embeddings) == 1


def test_list(sdk):
    names = {model.model for model in sdk.list().models}
    assert {"openai/text", "anthropic/text", "hanok/extract"} <= names


@pytest.mark.parametrize("model", ["openai/text", "ollama/text", "gemini/text"])
def test_show(sdk, model):
    shown = sdk.show(model)
    assert "completion" in shown.capabilities and "tools" in shown.capabilities
    assert shown.modelinfo["general.architecture"]


@pytest.mark.parametrize("model, length", [("ollama/text", 4096), ("gemini/text", 1000), ("openai/text", None)])
def test_show_tells_the_length_of_the_context(sdk, model, length):
    known = sdk.show(model).modelinfo
    assert known.get(f"{known['general.architecture']}.context_length") == length


def test_show_of_a_model_that_its_server_lacks(sdk):
    with pytest.raises(ollama.ResponseError) as raised:
        sdk.show("ollama/missing")
    assert raised.value.status_code == 404


def test_show_of_nobody(sdk):
    with pytest.raises(ollama.ResponseError) as raised:
        sdk.show("nobody/x")
    assert raised.value.status_code == 404


def test_ps_and_version(house, sdk):
    assert list(sdk.ps().models) == []
    assert house.get("/api/version").json["version"]
    # Editors look whether anybody is there.
    assert house.get("/api/tags").status == 200


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_made_of_a_function(sdk, vendors, stream):
    def get_weather(city: str, unit: str, days: int) -> str:
        """The weather.

        Args:
          city: where
          unit: in what
          days: how many
        """
        return city

    made = sdk.chat("anthropic/tool", messages=[{"role": "user", "content": "weather?"}], tools=[get_weather], stream=stream)
    calls = [call for part in (made if stream else [made]) for call in part.message.tool_calls or []]
    assert [(call.function.name, call.function.arguments["city"]) for call in calls] == [("get_weather", "서울")]
    [body] = bodies(vendors)
    assert body["tools"][0]["input_schema"]["properties"]["city"]["type"] == "string"


def test_errors_have_ollamas_shape(sdk):
    for model, status in [("openai/err-429", 429), ("ollama/err-400", 400), ("nobody/x", 404)]:
        with pytest.raises(ollama.ResponseError) as raised:
            sdk.chat(model, messages=[{"role": "user", "content": "hi"}])
        assert raised.value.status_code == status
        # Ollama's errors are a text, not an object; its client parses the body for it.
        assert isinstance(raised.value.error, str) and not raised.value.error.startswith("{")
