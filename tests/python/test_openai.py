"""What OpenAI's clients use beyond a chat: Responses with state, parsing helpers, embeddings, audio, images, moderations."""

import base64
import io
import json

import openai
import pydantic
import pytest

import scenes
import vendors as script
from clients import CLIENT_KEY, TOOLS, Responses
from dialects import DIALECTS
from scenes import ANSWER, STRUCTURED, THOUGHT, WEATHER
from support import MOCK_KEY, VENDORS, all_vendors, running


@pytest.fixture(scope="session")
def sdk(house):
    return openai.OpenAI(base_url=f"{house.url}/v1", api_key=CLIENT_KEY, max_retries=0, timeout=60)


def bodies(vendors):
    return [json.loads(request["body"]) for request in vendors.requests()]


def asked(vendors, provider):
    """Every request that came, in common words."""
    return [DIALECTS[VENDORS[provider][0]].read(body) for body in bodies(vendors)]


class House(pydantic.BaseModel):
    name: str
    rooms: int
    heated: bool


class GetWeather(pydantic.BaseModel):
    city: str
    unit: str
    days: int


# -- chat completions

@pytest.mark.parametrize("provider", VENDORS)
def test_an_answer_is_parsed_into_a_class(sdk, vendors, provider):
    answer = sdk.chat.completions.parse(
        model=f"{provider}/structured", messages=[{"role": "user", "content": "a house"}], response_format=House
    )
    assert answer.choices[0].message.parsed == House(**STRUCTURED)


def test_a_tools_arguments_are_parsed_into_a_class(sdk):
    tool = openai.pydantic_function_tool(GetWeather, name="get_weather")
    with sdk.chat.completions.stream(model="anthropic/tool", messages=[{"role": "user", "content": "?"}], tools=[tool]) as stream:
        message = stream.get_final_completion().choices[0].message
    [call] = message.tool_calls
    assert call.function.parsed_arguments == GetWeather(**WEATHER.arguments)


def test_what_only_openai_knows_reaches_openai(sdk, vendors):
    more = {
        "n": 1, "logprobs": True, "top_logprobs": 2, "seed": 7, "parallel_tool_calls": False, "user": "u1", "service_tier": "auto",
        "logit_bias": {"50256": -100}, "presence_penalty": 0.5, "metadata": {"a": "b"}, "prompt_cache_key": "k", "safety_identifier": "s",
    }
    sdk.chat.completions.create(model="openai/text", messages=[{"role": "user", "content": "hi"}], tools=tool_list(), **more)
    [body] = bodies(vendors)
    assert {name: body[name] for name in more} == more


def tool_list():
    return [{"type": "function", "function": {"name": name, "parameters": schema}} for name, schema in TOOLS.items()]


@pytest.mark.parametrize("provider", ["anthropic", "gemini", "responses", "ollama"])
def test_several_choices_are_not_given_up_silently(sdk, vendors, provider):
    """Where a vendor cannot: an error, or a warning that says so."""
    try:
        raw = sdk.chat.completions.with_raw_response.create(
            model=f"{provider}/text", messages=[{"role": "user", "content": "hi"}], n=2
        )
    except openai.APIStatusError as error:
        assert error.status_code in (400, 422)
        return
    if provider == "gemini":
        assert bodies(vendors)[-1]["generationConfig"]["candidateCount"] == 2
    else:
        assert "n" in raw.headers["x-hanok-warnings"], dict(raw.headers)


# -- Responses

@pytest.mark.parametrize("provider", VENDORS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_conversation_kept_by_the_server(sdk, vendors, provider, stream):
    model = f"{provider}/text"

    def say(**more):
        if not stream:
            return sdk.responses.create(model=model, **more)
        *_, last = sdk.responses.create(model=model, stream=True, **more)
        assert last.type == "response.completed"
        return last.response

    first = say(input="My name is 수진.", instructions="Be kind.")
    assert first.output_text == ANSWER and first.id.startswith("resp_") and first.store is True
    second = say(input="What is my name?", previous_response_id=first.id)
    assert second.previous_response_id == first.id and second.id != first.id
    *_, last = asked(vendors, provider)
    if bodies(vendors)[-1].get("previous_response_id"):
        return  # the vendor keeps it
    assert [turn["role"] for turn in last["turns"]] == ["user", "assistant", "user"]
    assert [part[1] for turn in last["turns"] for part in turn["parts"] if part[0] == "text"] == [
        "My name is 수진.", ANSWER, "What is my name?"
    ]
    assert "Be kind" not in last["system"], "instructions hold for one response only"


def test_tools_and_thoughts_over_kept_turns(sdk, vendors):
    tools = [{"type": "function", "name": name, "parameters": schema, "strict": False} for name, schema in TOOLS.items()]
    more = {"model": "anthropic/think-tool", "tools": tools, "reasoning": {"effort": "medium", "summary": "auto"}}
    first = sdk.responses.create(input="weather?", **more)
    [call] = [item for item in first.output if item.type == "function_call"]
    outputs = [{"type": "function_call_output", "call_id": call.call_id, "output": "맑음"}]
    second = sdk.responses.create(input=outputs, previous_response_id=first.id, **more)
    assert second.output_text == "tools said: 맑음"
    body = bodies(vendors)[-1]
    [thinking, use] = body["messages"][1]["content"]
    assert (thinking["thinking"], thinking["signature"]) == (THOUGHT.text, THOUGHT.signature)
    assert use["id"] == WEATHER.id


def test_a_stored_response_is_the_clients(sdk, vendors):
    made = sdk.responses.create(model="openai/text", input="keep this", metadata={"kind": "test"})
    again = sdk.responses.retrieve(made.id)
    assert again.output_text == ANSWER and again.id == made.id and again.model == made.model
    assert again.metadata == {"kind": "test"} and again.usage.total_tokens == made.usage.total_tokens
    [item] = list(sdk.responses.input_items.list(made.id))
    assert item.role == "user" and item.content[0].text == "keep this"
    sdk.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        sdk.responses.retrieve(made.id)
    with pytest.raises(openai.APIStatusError) as raised:
        sdk.responses.create(model="openai/text", input="and now?", previous_response_id=made.id)
    assert raised.value.status_code in (400, 404) and made.id in raised.value.message


def test_what_is_not_to_be_stored_is_not(sdk):
    made = sdk.responses.create(model="openai/text", input="forget this", store=False)
    with pytest.raises(openai.NotFoundError):
        sdk.responses.retrieve(made.id)


def test_a_finished_response_cannot_be_cancelled(sdk):
    made = sdk.responses.create(model="openai/text", input="done")
    with pytest.raises(openai.BadRequestError):
        sdk.responses.cancel(made.id)
    with pytest.raises(openai.NotFoundError):
        sdk.responses.cancel("resp_0000")


def test_stored_responses_outlive_the_server(all_day_vendors, tmp_path):
    config = all_vendors(all_day_vendors, ["openai"])
    with running(tmp_path, config) as server:
        made = Responses(server.url).sdk.responses.create(model="openai/text", input="keep this")
    with running(tmp_path, config) as server:
        assert Responses(server.url).sdk.responses.retrieve(made.id).output_text == ANSWER


@pytest.mark.parametrize("provider", VENDORS)
def test_every_event_of_a_stream(sdk, provider):
    """In order, numbered, and each piece closed by its whole; `clients.Responses` checks the pieces."""
    kinds = [event.type for event in sdk.responses.create(
        model=f"{provider}/think", input="why?", stream=True, reasoning={"effort": "low", "summary": "auto"}, store=False
    )]
    collapsed = [kind for at, kind in enumerate(kinds) if at == 0 or kinds[at - 1] != kind]
    if provider == "gemini":
        # The signature of the text is an item of its own.
        assert collapsed[-3:-1] == ["response.output_item.added", "response.output_item.done"]
        del collapsed[-3:-1]
    assert collapsed == [
        "response.created", "response.in_progress",
        "response.output_item.added", "response.reasoning_summary_part.added", "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done", "response.reasoning_summary_part.done", "response.output_item.done",
        "response.output_item.added", "response.content_part.added", "response.output_text.delta", "response.output_text.done",
        "response.content_part.done", "response.output_item.done", "response.completed",
    ]


@pytest.mark.parametrize("provider", ["openai", "responses", "anthropic"])
def test_the_responses_helpers(sdk, provider):
    parsed = sdk.responses.parse(model=f"{provider}/structured", input="a house", text_format=House)
    assert parsed.output_parsed == House(**STRUCTURED)
    with sdk.responses.stream(model=f"{provider}/structured", input="a house", text_format=House) as stream:
        events = [event.type for event in stream]
        assert stream.get_final_response().output_parsed == House(**STRUCTURED)
    assert events[-1] == "response.completed"


def test_what_coding_agents_send(sdk, vendors):
    """Members newer than any release of ours, to a vendor of another dialect and to one of the same."""
    more = {"prompt_cache_key": "session-1", "client_metadata": {"x": "1"}, "include": ["reasoning.encrypted_content"]}
    for provider in ("responses", "anthropic"):
        answer = sdk.responses.create(
            model=f"{provider}/text", input=[{"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "You are an agent."}]},
                                             {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
            store=False, stream=False, parallel_tool_calls=True, extra_body={"client_metadata": more["client_metadata"]},
            prompt_cache_key=more["prompt_cache_key"], include=more["include"],
        )
        assert answer.output_text == ANSWER
    first, second = bodies(vendors)
    assert {name: first[name] for name in more} == more
    assert DIALECTS["anthropic-messages"].read(second)["system"] == "You are an agent."


# -- embeddings and what is passed on as it is

EMBEDDERS = ["openai", "azure", "gemini", "ollama"]


@pytest.mark.parametrize("provider", EMBEDDERS)
def test_embeddings(sdk, vendors, provider):
    model = f"{provider}/text"
    answer = sdk.embeddings.create(model=model, input=["a", "b"])
    assert [item.index for item in answer.data] == [0, 1]
    assert answer.data[1].embedding == pytest.approx(script.VECTOR, rel=1e-6)
    raw = json.loads(sdk.embeddings.with_raw_response.create(model=model, input="a", encoding_format="base64").text)
    assert isinstance(raw["data"][0]["embedding"], str)
    assert len(base64.b64decode(raw["data"][0]["embedding"])) == 4 * len(script.VECTOR)
    floats = sdk.embeddings.create(model=model, input="a", encoding_format="float")
    assert floats.data[0].embedding == pytest.approx(script.VECTOR, rel=1e-6)


def test_embeddings_of_tokens(sdk, vendors):
    answer = sdk.embeddings.create(model="openai/text", input=[[1, 2, 3], [4]], dimensions=3)
    assert len(answer.data) == 2
    [body] = bodies(vendors)
    assert body["input"] == [[1, 2, 3], [4]] and body["dimensions"] == 3
    with pytest.raises(openai.APIStatusError) as raised:
        sdk.embeddings.create(model="gemini/text", input=[[1, 2, 3]])
    assert raised.value.status_code in (400, 422, 501)


def test_embeddings_where_there_are_none(sdk):
    with pytest.raises(openai.APIStatusError) as raised:
        sdk.embeddings.create(model="anthropic/text", input="a")
    assert raised.value.status_code in (400, 404, 422, 501)


def test_rerank(house, vendors):
    reply = house.post("/v1/rerank", {"model": "openai/text", "query": "q", "documents": ["a", "b", "c"], "top_n": 2})
    assert reply.status == 200, reply.text
    assert [result["index"] for result in reply.json["results"]][:2] == [0, 1]


def test_moderations(sdk, vendors):
    answer = sdk.moderations.create(model="openai/text", input="bad words")
    assert answer.results[0].flagged is True
    assert bodies(vendors) == [{"model": "text", "input": "bad words"}]


def test_speech(sdk, vendors):
    answer = sdk.audio.speech.create(model="openai/text", voice="alloy", input="안녕")
    assert answer.content == script.AUDIO
    assert answer.response.headers["content-type"] == "audio/mpeg"
    [body] = bodies(vendors)
    assert body["input"] == "안녕"


@pytest.mark.parametrize("what", ["transcriptions", "translations"])
def test_audio_in_a_form(sdk, vendors, what):
    answer = getattr(sdk.audio, what).create(model="openai/text", file=("a.mp3", io.BytesIO(script.AUDIO)))
    # The vendor saw its own name of the model, and every byte of the sound.
    assert answer.text == "heard text, all of it"
    [request] = vendors.requests()
    assert request["headers"]["authorization"] == f"Bearer {MOCK_KEY}"
    assert request["path"] == f"/openai/v1/audio/{what}"


def test_images(sdk, vendors):
    answer = sdk.images.generate(model="openai/text", prompt="a house", size="1024x1024")
    assert answer.data[0].b64_json == script.IMAGE
    edited = sdk.images.edit(model="openai/text", image=("a.png", io.BytesIO(b"\x89PNG")), prompt="red")
    assert edited.data[0].b64_json == script.IMAGE


def test_routes_nobody_translates(sdk):
    for call in (
        lambda: sdk.moderations.create(model="anthropic/text", input="x"),
        lambda: sdk.audio.speech.create(model="gemini/text", voice="alloy", input="x"),
        lambda: sdk.images.generate(model="ollama/text", prompt="x"),
    ):
        with pytest.raises(openai.APIStatusError) as raised:
            call()
        assert raised.value.status_code in (400, 404, 501)
        assert raised.value.body["message"]


def test_models(sdk):
    ids = {model.id for model in sdk.models.list()}
    for provider in ("openai", "anthropic", "gemini", "responses"):
        assert {f"{provider}/{name}" for name in scenes.MODELS} <= ids, provider
    assert any(name.startswith("ollama/text") for name in ids)
    assert sdk.models.retrieve("anthropic/text").id == "anthropic/text"


def test_schemas_survive(sdk, vendors):
    """A schema with references and alternatives reaches every vendor with nothing lost that it needs."""
    schema = {
        "type": "object", "properties": {"room": {"$ref": "#/$defs/room"}, "or": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
        "required": ["room", "or"], "additionalProperties": False,
        "$defs": {"room": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}},
    }
    tools = [{"type": "function", "function": {"name": "build", "parameters": schema}}]
    for provider in VENDORS:
        sdk.chat.completions.create(model=f"{provider}/text", messages=[{"role": "user", "content": "x"}], tools=tools)
        sent = json.dumps(bodies(vendors)[-1])
        assert '"room"' in sent and '"integer"' in sent, provider

