"""What Google's client uses beyond a chat."""

import json

import pytest
from google import genai
from google.genai import types as gt

import scenes
import vendors as script
from clients import CLIENT_KEY, Chat, Gemini, Ollama
from scenes import ANSWER, STRUCTURED, WEATHER
from support import MOCK_KEY, VENDORS, running


@pytest.fixture(scope="session")
def sdk(house):
    return genai.Client(api_key=CLIENT_KEY, http_options=gt.HttpOptions(base_url=house.url, timeout=60_000))


def bodies(vendors):
    return [json.loads(request["body"]) for request in vendors.requests()]


@pytest.mark.parametrize("version", ["v1", "v1beta"])
@pytest.mark.parametrize("provider", VENDORS)
def test_both_versions_of_the_api(house, vendors, provider, version):
    sdk = genai.Client(api_key=CLIENT_KEY, http_options=gt.HttpOptions(base_url=house.url, api_version=version, timeout=60_000))
    assert sdk.models.generate_content(model=f"{provider}/text", contents="hi").text == ANSWER
    assert "".join(chunk.text or "" for chunk in sdk.models.generate_content_stream(model=f"{provider}/text", contents="hi")) == ANSWER


def test_a_key_in_the_query_opens_and_goes_no_further(house, vendors):
    body = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    reply = house.post(f"/v1beta/models/gemini/text:generateContent?key={CLIENT_KEY}", body)
    assert reply.status == 200, reply.text
    [request] = vendors.requests()
    assert request["path"] == "/gemini/v1beta/models/text:generateContent"
    assert request["headers"]["x-goog-api-key"] == MOCK_KEY


def arrayed(house, model, text="hi", query=""):
    body = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
    return house.post(f"/v1beta/models/{model}:streamGenerateContent{query}", body)


@pytest.mark.parametrize("query", ["", "?alt=json"])
@pytest.mark.parametrize("provider", VENDORS)
def test_a_stream_without_alt_is_an_array(house, provider, query):
    reply = arrayed(house, f"{provider}/text", query=query)
    assert reply.status == 200 and reply.headers["content-type"].startswith("application/json")
    chunks = json.loads(reply.text)
    assert len(chunks) > 1, "piece by piece"
    said = "".join(part.get("text", "") for chunk in chunks for part in chunk["candidates"][0].get("content", {}).get("parts", []))
    assert said == ANSWER and chunks[-1]["candidates"][0]["finishReason"] == "STOP"


@pytest.mark.parametrize("provider", ["gemini", "openai"])
def test_an_array_that_is_cut_ends_in_an_error_and_is_closed(house, provider):
    chunks = json.loads(arrayed(house, f"{provider}/flaky", "fault=cut").text)
    assert chunks[-1]["error"]["code"] >= 500
    assert not any("finishReason" in candidate for chunk in chunks for candidate in chunk.get("candidates", []))


def test_an_error_in_place_of_an_array(house):
    reply = arrayed(house, "nobody/x")
    assert reply.status == 404 and json.loads(reply.text)[0]["error"]["status"] == "NOT_FOUND"
    assert arrayed(house, "gemini/text", query="?alt=proto").status == 400


def test_a_chat_of_several_turns(sdk, vendors):
    chat = sdk.chats.create(model="anthropic/text")
    assert chat.send_message("하나").text == ANSWER
    assert "".join(chunk.text or "" for chunk in chat.send_message_stream("둘")) == ANSWER
    last = bodies(vendors)[-1]
    assert [message["role"] for message in last["messages"]] == ["user", "assistant", "user"]


@pytest.mark.parametrize("provider", VENDORS)
def test_functions_are_called_by_the_client_itself(sdk, vendors, provider):
    """The client's own loop: the model calls, the function runs, the result goes back."""
    seen = []

    def get_weather(city: str, unit: str, days: int) -> str:
        """The weather of a city."""
        seen.append((city, unit, days))
        return "맑음"

    answer = sdk.models.generate_content(model=f"{provider}/tool", contents="weather?", config=gt.GenerateContentConfig(tools=[get_weather]))
    assert seen == [tuple(WEATHER.arguments.values())]
    assert "맑음" in answer.text and answer.text.startswith("tools said: ")


@pytest.mark.parametrize("provider", VENDORS)
def test_an_answer_in_a_form(sdk, provider):
    config = {"response_mime_type": "application/json", "response_schema": {
        "type": "OBJECT", "properties": {"name": {"type": "STRING"}, "rooms": {"type": "INTEGER"}, "heated": {"type": "BOOLEAN"}},
        "required": ["name", "rooms", "heated"],
    }}
    answer = sdk.models.generate_content(model=f"{provider}/structured", contents="a house", config=config)
    assert json.loads(answer.text) == STRUCTURED


def test_what_only_gemini_knows_reaches_gemini(sdk, vendors):
    config = gt.GenerateContentConfig(
        safety_settings=[gt.SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_NONE")],
        tools=[gt.Tool(google_search=gt.GoogleSearch())], top_k=3, stop_sequences=["END"], seed=5,
        thinking_config=gt.ThinkingConfig(thinking_budget=0), media_resolution="MEDIA_RESOLUTION_LOW",
    )
    sdk.models.generate_content(model="gemini/text", contents="hi", config=config)
    [body] = bodies(vendors)
    assert body["safetySettings"] == [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    assert "googleSearch" in body["tools"][0] or "google_search" in body["tools"][0]
    assert (body["generationConfig"]["topK"], body["generationConfig"]["seed"]) == (3, 5)


@pytest.mark.parametrize("provider", ["gemini", "openai", "ollama"])
def test_embeddings(sdk, vendors, provider):
    answer = sdk.models.embed_content(model=f"{provider}/text", contents=["a", "b"])
    assert len(answer.embeddings) == 2
    assert answer.embeddings[1].values == pytest.approx(script.VECTOR, rel=1e-6)
    assert len(sdk.models.embed_content(model=f"{provider}/text", contents="a").embeddings) == 1


@pytest.mark.parametrize("provider", VENDORS)
def test_counting_tokens(sdk, provider):
    answer = sdk.models.count_tokens(model=f"{provider}/text", contents="a question of some words")
    assert 1 <= answer.total_tokens < 100
    # What was estimated says so.
    assert answer.total_tokens == 42 or "estimated" in answer.sdk_http_response.headers["x-hanok-warnings"]


def test_known_vendors_are_asked_in_what_they_speak_beside(all_day_vendors, vendors, tmp_path):
    """Gemini and Ollama have an OpenAI face, too: a client of OpenAI is not translated there."""
    config = "".join(
        f'[providers.{name}]\nvendor = "{name}"\nbase_url = "{all_day_vendors.url}{path}"\nkey = "env:MOCK_KEY"\n'
        for name, path in [("gemini", "/gemini/v1beta"), ("ollama", "/ollama/v1")]
    )
    with running(tmp_path, config) as server:
        for name, path in [("gemini", "/gemini/v1beta/openai/chat/completions"), ("ollama", "/ollama/v1/chat/completions")]:
            assert Chat(server.url).ask(f"{name}/text", "hi").text == ANSWER
            assert vendors.requests()[-1]["path"] == path
        assert Gemini(server.url).ask("gemini/text", "hi").text == ANSWER
        assert vendors.requests()[-1]["path"] == "/gemini/v1beta/models/text:generateContent"
        assert Ollama(server.url).ask("ollama/text", "hi").text == ANSWER
        assert vendors.requests()[-1]["path"] == "/ollama/api/chat"
        assert Gemini(server.url).sdk.models.count_tokens(model="gemini/text", contents="hi").total_tokens == 42


def test_models(sdk):
    names = {model.name for model in sdk.models.list()}
    assert {f"models/gemini/{name}" for name in scenes.MODELS} <= names
    assert sdk.models.get(model="anthropic/text").name == "models/anthropic/text"


def test_errors_have_googles_shape(sdk):
    for model, code, status in [
        ("gemini/err-429", 429, "RESOURCE_EXHAUSTED"), ("openai/err-400", 400, "INVALID_ARGUMENT"), ("nobody/x", 404, "NOT_FOUND"),
    ]:
        with pytest.raises(genai.errors.APIError) as raised:
            sdk.models.generate_content(model=model, contents="hi")
        assert (raised.value.code, raised.value.status) == (code, status)
        assert raised.value.message


@pytest.mark.parametrize("spelling", ["camel", "snake"])
def test_either_spelling_is_read(house, vendors, spelling):
    """Google reads its members in both spellings, and its own clients send both."""
    names = {"inlineData": "inline_data", "mimeType": "mime_type", "systemInstruction": "system_instruction",
             "generationConfig": "generation_config", "maxOutputTokens": "max_output_tokens", "functionDeclarations": "function_declarations"}
    name = (lambda camel: camel) if spelling == "camel" else names.get
    body = {
        name("systemInstruction"): {"parts": [{"text": "Be brief."}]},
        "contents": [{"role": "user", "parts": [{"text": "what?"}, {name("inlineData"): {name("mimeType"): "image/png", "data": "iVBORw0KGgo="}}]}],
        name("generationConfig"): {name("maxOutputTokens"): 99},
        "tools": [{name("functionDeclarations"): [{"name": "f", "parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}}]}],
    }
    reply = house.post("/v1beta/models/openai/text:generateContent", body)
    assert reply.status == 200, reply.text
    [sent] = bodies(vendors)
    assert sent["messages"][0]["content"] == "Be brief."
    assert sent["messages"][1]["content"][1]["image_url"]["url"] == "data:image/png;base64,iVBORw0KGgo="
    assert 99 in (sent.get("max_tokens"), sent.get("max_completion_tokens"))
    # Types in capitals are Google's own.
    assert sent["tools"][0]["function"]["parameters"] == {"type": "object", "properties": {"a": {"type": "string"}}}
