"""The official clients behind one face, so that one test can put every client before every provider.

    said = client.ask("anthropic/tool", "What is the weather?", tools=TOOLS, stream=True)
    client.go_on(said, ["21 degrees"])     # the tools' results go back; gives what is said then

A client keeps the conversation the way its own users do: the message that came is the message that goes back.
"""

import base64
import json
from dataclasses import dataclass, field

import anthropic
import ollama
import openai
from google import genai
from google.genai import types as gt

from scenes import Usage

CLIENT_KEY = "sk-of-the-client-0987654321"
RED_DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "rooms": {"type": "integer"}, "heated": {"type": "boolean"}},
    "required": ["name", "rooms", "heated"],
    "additionalProperties": False,
}
TOOLS = {
    "get_weather": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["C", "F"]}, "days": {"type": "integer"}},
        "required": ["city"],
    },
    "get_time": {"type": "object", "properties": {"zone": {"type": "string"}, "deep": {"type": "object"}}, "required": ["zone"]},
}


@dataclass
class Said:
    """An answer in common words, and what its client needs to go on."""

    text: str = ""
    calls: list = field(default_factory=list)
    finish: str | None = None
    usage: Usage | None = None
    thought: str = ""
    refusal: str = ""
    # How many pieces a stream came in.
    pieces: int = 0
    # The request that was made and the message that came.
    request: dict = field(default_factory=dict)
    message: object = None
    raw: object = None

    @property
    def names_and_arguments(self):
        return [(name, arguments) for _, name, arguments in self.calls]


class Chat:
    """openai: chat.completions."""

    name = "openai-chat"
    finishes = {"stop": "stop", "length": "length", "tool_calls": "tool", "content_filter": "refusal"}

    def __init__(self, url, path="/v1", key=CLIENT_KEY):
        self.sdk = openai.OpenAI(base_url=url + path, api_key=key, max_retries=0, timeout=60)

    def ask(self, model, text, *, tools=None, stream=False, image=None, schema=None, system=None, thinking=False, choice=None, most=None):
        content = text
        if image:
            data = "data:image/png;base64," + base64.b64encode(image).decode()
            content = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": data}}]
        request = {"model": model, "messages": [{"role": "user", "content": content}]}
        if system:
            request["messages"].insert(0, {"role": "system", "content": system})
        if tools:
            request["tools"] = [
                {"type": "function", "function": {"name": name, "description": name, "parameters": schema}} for name, schema in tools.items()
            ]
        if schema:
            request["response_format"] = {"type": "json_schema", "json_schema": {"name": "house", "schema": schema, "strict": True}}
        if thinking:
            request["reasoning_effort"] = "medium"
        if choice:
            request["tool_choice"] = {"type": "function", "function": {"name": choice}}
        if most:
            request["max_completion_tokens"] = most
        return self.send(request, stream)

    def send(self, request, stream):
        said = Said(request=request)
        if not stream:
            answer = self.sdk.chat.completions.create(**request)
            said.raw, said.usage = answer, self.usage(answer.usage)
            [choice] = answer.choices
            message = choice.message.model_dump(exclude_none=True)
            said.finish = self.finishes[choice.finish_reason]
        else:
            message, calls = {"role": "assistant"}, {}
            said.raw = []
            for chunk in self.sdk.chat.completions.create(**request, stream=True, stream_options={"include_usage": True}):
                said.raw.append(chunk)
                if chunk.usage:
                    assert said.usage is None and not chunk.choices, "usage comes once, at the end, alone"
                    said.usage = self.usage(chunk.usage)
                for choice in chunk.choices:
                    assert said.finish is None, "something came behind the finish"
                    delta = choice.delta.model_dump(exclude_none=True)
                    said.pieces += bool(delta.get("content"))
                    for call in delta.pop("tool_calls", []):
                        known = calls.setdefault(call["index"], {"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
                        known["id"] += call.get("id", "")
                        known["function"]["name"] += call.get("function", {}).get("name", "")
                        known["function"]["arguments"] += call.get("function", {}).get("arguments", "")
                        if "extra_content" in call:
                            known["extra_content"] = call["extra_content"]
                    delta.pop("role", None)
                    for name, value in delta.items():
                        message[name] = merged(message.get(name), value)
                    said.finish = self.finishes.get(choice.finish_reason)
            if calls:
                message["tool_calls"] = [calls[index] for index in sorted(calls)]
        said.message = message
        said.text = message.get("content") or ""
        said.thought = message.get("reasoning_content") or ""
        said.refusal = message.get("refusal") or ""
        said.calls = [
            (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"])) for call in message.get("tool_calls", [])
        ]
        return said

    def go_on(self, said, results, stream=False):
        answers = [{"role": "tool", "tool_call_id": call[0], "content": text} for call, text in zip(said.calls, results, strict=True)]
        messages = [*said.request["messages"], said.message, *answers]
        return self.send({**said.request, "messages": messages}, stream)

    def usage(self, usage):
        cached, reasoning = usage.prompt_tokens_details, usage.completion_tokens_details
        assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
        return Usage(
            usage.prompt_tokens, usage.completion_tokens, (cached and cached.cached_tokens) or 0,
            (reasoning and reasoning.reasoning_tokens) or 0,
        )

    def fault(self, error):
        """The status and the message of a refusal; None for what is none of the client's own errors."""
        return (error.status_code, error.message) if isinstance(error, openai.APIStatusError) else None


class Responses:
    """openai: responses, the state kept by the client."""

    name = "openai-responses"

    def __init__(self, url, path="/v1", key=CLIENT_KEY):
        self.sdk = openai.OpenAI(base_url=url + path, api_key=key, max_retries=0, timeout=60)

    def ask(self, model, text, *, tools=None, stream=False, image=None, schema=None, system=None, thinking=False, choice=None, most=None):
        content = [{"type": "input_text", "text": text}]
        if image:
            data = "data:image/png;base64," + base64.b64encode(image).decode()
            content.append({"type": "input_image", "detail": "auto", "image_url": data})
        request = {"model": model, "input": [{"role": "user", "content": content}], "store": False}
        if system:
            request["instructions"] = system
        if tools:
            request["tools"] = [
                {"type": "function", "name": name, "description": name, "parameters": schema, "strict": False} for name, schema in tools.items()
            ]
        if schema:
            request["text"] = {"format": {"type": "json_schema", "name": "house", "schema": schema, "strict": True}}
        if thinking:
            request["reasoning"] = {"effort": "medium", "summary": "auto"}
            request["include"] = ["reasoning.encrypted_content"]
        if choice:
            request["tool_choice"] = {"type": "function", "name": choice}
        if most:
            request["max_output_tokens"] = most
        return self.send(request, stream)

    def send(self, request, stream):
        said = Said(request=request)
        if stream:
            said.raw = list(self.sdk.responses.create(**request, stream=True))
            answer = self.check_stream(said)
        else:
            answer = said.raw = self.sdk.responses.create(**request)
        said.message = [item.model_dump(exclude_none=True) for item in answer.output]
        said.text = answer.output_text
        for item in answer.output:
            if item.type == "function_call":
                said.calls.append((item.call_id, item.name, json.loads(item.arguments)))
            elif item.type == "reasoning":
                said.thought += "".join(part.text for part in item.summary)
            elif item.type == "message":
                said.refusal += "".join(part.refusal for part in item.content if part.type == "refusal")
        said.finish = "tool" if said.calls else "stop"
        if answer.status == "incomplete":
            said.finish = {"max_output_tokens": "length", "content_filter": "refusal"}[answer.incomplete_details.reason]
        usage = answer.usage
        said.usage = Usage(
            usage.input_tokens, usage.output_tokens, usage.input_tokens_details.cached_tokens, usage.output_tokens_details.reasoning_tokens
        )
        return said

    def check_stream(self, said):
        """That the events come as they must; gives the response at the end."""
        events = said.raw
        assert [event.sequence_number for event in events] == list(range(len(events)))
        assert [event.type for event in events[:2]] == ["response.created", "response.in_progress"]
        assert events[-1].type in ("response.completed", "response.incomplete"), events[-1]
        answer = events[-1].response
        opened, texts, arguments = [], {}, {}
        for event in events[2:-1]:
            match event.type:
                case "response.output_item.added":
                    opened.append(event.output_index)
                    assert event.item.id == answer.output[event.output_index].id
                case "response.output_item.done":
                    assert opened.pop() == event.output_index
                    assert event.item.model_dump() == answer.output[event.output_index].model_dump()
                case "response.output_text.delta":
                    said.pieces += 1
                    texts.setdefault(event.item_id, []).append(event.delta)
                case "response.output_text.done":
                    assert "".join(texts[event.item_id]) == event.text
                case "response.function_call_arguments.delta":
                    arguments.setdefault(event.item_id, []).append(event.delta)
                case "response.function_call_arguments.done":
                    assert "".join(arguments[event.item_id]) == event.arguments
            if getattr(event, "item_id", None):
                assert event.item_id == answer.output[event.output_index].id
        assert not opened
        assert "".join("".join(text) for text in texts.values()) == answer.output_text
        return answer

    def go_on(self, said, results, stream=False):
        answers = [
            {"type": "function_call_output", "call_id": call[0], "output": text} for call, text in zip(said.calls, results, strict=True)
        ]
        return self.send({**said.request, "input": [*said.request["input"], *said.message, *answers]}, stream)

    fault = Chat.fault


class Anthropic:
    """anthropic: messages, streams by the client's own collector."""

    name = "anthropic"
    finishes = {"end_turn": "stop", "max_tokens": "length", "tool_use": "tool", "refusal": "refusal"}

    def __init__(self, url, path="", key=CLIENT_KEY):
        self.sdk = anthropic.Anthropic(base_url=url + path, api_key=key, max_retries=0, timeout=60)

    def ask(self, model, text, *, tools=None, stream=False, image=None, schema=None, system=None, thinking=False, choice=None, most=None):
        content = text
        if image:
            source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(image).decode()}
            content = [{"type": "image", "source": source}, {"type": "text", "text": text}]
        request = {"model": model, "messages": [{"role": "user", "content": content}], "max_tokens": most or 4096}
        if system:
            request["system"] = [{"type": "text", "text": system}]
        if tools:
            request["tools"] = [{"name": name, "description": name, "input_schema": schema} for name, schema in tools.items()]
        if schema:
            request["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
        if thinking:
            request["thinking"] = {"type": "enabled", "budget_tokens": 1024}
        if choice:
            request["tool_choice"] = {"type": "tool", "name": choice}
        return self.send(request, stream)

    def send(self, request, stream):
        said = Said(request=request)
        if stream:
            with self.sdk.messages.stream(**request) as events:
                said.raw = list(events)
                answer = events.get_final_message()
            said.pieces = sum(event.type == "text" for event in said.raw)
            assert said.raw[-1].type == "message_stop"
        else:
            answer = said.raw = self.sdk.messages.create(**request)
        said.message = answer.content
        for block in answer.content:
            if block.type == "text":
                said.text += block.text
            elif block.type == "tool_use":
                said.calls.append((block.id, block.name, block.input))
            elif block.type == "thinking":
                said.thought += block.thinking
        said.finish = self.finishes[answer.stop_reason]
        usage = answer.usage
        cached = usage.cache_read_input_tokens or 0
        said.usage = Usage(usage.input_tokens + cached + (usage.cache_creation_input_tokens or 0), usage.output_tokens, cached)
        return said

    def go_on(self, said, results, stream=False):
        answers = [
            {"type": "tool_result", "tool_use_id": call[0], "content": text} for call, text in zip(said.calls, results, strict=True)
        ]
        messages = [
            *said.request["messages"], {"role": "assistant", "content": said.message}, {"role": "user", "content": answers},
        ]
        return self.send({**said.request, "messages": messages}, stream)

    def fault(self, error):
        return (error.status_code, error.message) if isinstance(error, anthropic.APIStatusError) else None


class Gemini:
    """google-genai: generate_content."""

    name = "gemini"
    finishes = {"STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "refusal", "PROHIBITED_CONTENT": "refusal"}

    def __init__(self, url, path="", key=CLIENT_KEY):
        self.sdk = genai.Client(api_key=key, http_options=gt.HttpOptions(base_url=url + path, timeout=60_000))

    def ask(self, model, text, *, tools=None, stream=False, image=None, schema=None, system=None, thinking=False, choice=None, most=None):
        parts = [gt.Part.from_text(text=text)]
        if image:
            parts.append(gt.Part.from_bytes(data=image, mime_type="image/png"))
        config = {"automatic_function_calling": {"disable": True}}
        if system:
            config["system_instruction"] = system
        if tools:
            config["tools"] = [{"function_declarations": [
                {"name": name, "description": name, "parameters_json_schema": schema} for name, schema in tools.items()
            ]}]
        if schema:
            config |= {"response_mime_type": "application/json", "response_json_schema": schema}
        if thinking:
            config["thinking_config"] = {"include_thoughts": True, "thinking_budget": 1024}
        if choice:
            config["tool_config"] = {"function_calling_config": {"mode": "ANY", "allowed_function_names": [choice]}}
        if most:
            config["max_output_tokens"] = most
        contents = [gt.Content(role="user", parts=parts)]
        return self.send({"model": model, "contents": contents, "config": config}, stream)

    def send(self, request, stream):
        said = Said(request=request)
        parts, finish, usage = [], None, None
        if stream:
            said.raw = list(self.sdk.models.generate_content_stream(**request))
        else:
            said.raw = [self.sdk.models.generate_content(**request)]
        for answer in said.raw:
            usage = answer.usage_metadata or usage
            for candidate in answer.candidates or []:
                assert finish is None, "something came behind the finish"
                parts += (candidate.content and candidate.content.parts) or []
                finish = candidate.finish_reason
        said.message = gt.Content(role="model", parts=parts)
        for part in parts:
            if part.function_call:
                said.calls.append((part.function_call.id, part.function_call.name, part.function_call.args))
            elif part.thought:
                said.thought += part.text
            elif part.text:
                said.text += part.text
                said.pieces += 1
        assert finish, "no finish came"
        said.finish = "tool" if said.calls and finish.value == "STOP" else self.finishes[finish.value]
        thoughts = usage.thoughts_token_count or 0
        said.usage = Usage(
            usage.prompt_token_count, (usage.candidates_token_count or 0) + thoughts, usage.cached_content_token_count or 0, thoughts
        )
        return said

    def go_on(self, said, results, stream=False):
        answers = [
            gt.Part(function_response=gt.FunctionResponse(id=call[0], name=call[1], response={"output": text}))
            for call, text in zip(said.calls, results, strict=True)
        ]
        contents = [*said.request["contents"], said.message, gt.Content(role="user", parts=answers)]
        return self.send({**said.request, "contents": contents}, stream)

    def fault(self, error):
        return (error.code, error.message) if isinstance(error, genai.errors.APIError) else None


class Ollama:
    """ollama: chat."""

    name = "ollama"

    def __init__(self, url, path="", key=CLIENT_KEY):
        self.sdk = ollama.Client(host=url + path, headers={"authorization": f"Bearer {key}"}, timeout=60)

    def ask(self, model, text, *, tools=None, stream=False, image=None, schema=None, system=None, thinking=False, choice=None, most=None):
        message = {"role": "user", "content": text}
        if image:
            message["images"] = [image]
        request = {"model": model, "messages": [message]}
        if system:
            request["messages"].insert(0, {"role": "system", "content": system})
        if tools:
            request["tools"] = [
                {"type": "function", "function": {"name": name, "description": name, "parameters": schema}} for name, schema in tools.items()
            ]
        if schema:
            request["format"] = schema
        if thinking:
            request["think"] = True
        if most:
            request["options"] = {"num_predict": most}
        return self.send(request, stream)

    def send(self, request, stream):
        said = Said(request=request)
        said.raw = list(self.sdk.chat(**request, stream=True)) if stream else [self.sdk.chat(**request)]
        calls = []
        for answer in said.raw:
            assert said.finish is None, "something came behind the end"
            said.text += answer.message.content or ""
            said.thought += answer.message.thinking or ""
            said.pieces += bool(answer.message.content)
            calls += answer.message.tool_calls or []
            if answer.done:
                said.finish = answer.done_reason
                said.usage = Usage(answer.prompt_eval_count, answer.eval_count)
        assert said.finish, "no end came"
        said.calls = [(None, call.function.name, dict(call.function.arguments)) for call in calls]
        said.finish = "tool" if calls and said.finish == "stop" else said.finish
        said.message = {"role": "assistant", "content": said.text, "tool_calls": calls}
        if said.thought:
            said.message["thinking"] = said.thought
        return said

    def go_on(self, said, results, stream=False):
        answers = [{"role": "tool", "tool_name": call[1], "content": text} for call, text in zip(said.calls, results, strict=True)]
        return self.send({**said.request, "messages": [*said.request["messages"], said.message, *answers]}, stream)

    def fault(self, error):
        return (error.status_code, error.error) if isinstance(error, ollama.ResponseError) else None


def merged(before, more):
    """A delta added to what came before: texts and lists are joined."""
    if before is None:
        return more
    if isinstance(more, (str, list)):
        return before + more
    return more


CLIENTS = [Chat, Responses, Anthropic, Gemini, Ollama]
