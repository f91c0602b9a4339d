"""Each provider dialect, as its vendor speaks it: requests read, scenes written whole and streamed, and refusals.

A dialect is an object with
- `read(body)`: a request in common words: `system`, `turns` (role and parts), `tools`, `choice`, `max_tokens`, `schema`;
- `complaint(body, headers)`: why the vendor would refuse it, or None;
- `whole(model, scene)`: an answer;  `frames(model, scene, body)`: the same as the pieces of a stream, each one frame;
- `error(status, kind, message)`: a refusal's body.

A part of a turn is a tuple: ("text", text), ("image", mime, base64), ("call", id, name, arguments), ("result", id, text),
("thought", text, signature). What a dialect has no place for is None.
"""

import json

from scenes import Call, Refusal, Text, Thought, pieces


def dump(value):
    return json.dumps(value, ensure_ascii=False)


def sse(payload, name=None):
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {dump(payload)}\n\n".encode()


def text_of(content):
    """The text of content that is a string or a list of parts."""
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or "" for part in content or [])


def result_text(text):
    """What a tool said. Gemini wraps it in an object, which others may get as JSON."""
    try:
        said = json.loads(text)
    except ValueError:
        return text
    return said["output"] if isinstance(said, dict) and set(said) == {"output"} else text


def data_url(url):
    mime, _, data = url.removeprefix("data:").partition(";base64,")
    return ("image", mime, data)


class OpenAiChat:
    name = "openai-chat"
    content_type = "text/event-stream"
    finishes = {"stop": "stop", "length": "length", "tool": "tool_calls", "refusal": "stop"}
    kinds = {
        "invalid": "invalid_request_error", "auth": "invalid_request_error", "forbidden": "invalid_request_error",
        "missing": "invalid_request_error", "limited": "requests", "server": "server_error", "overloaded": "server_error",
    }

    def read(self, body):
        system, turns = [], []
        for message in body.get("messages", []):
            role, content = message["role"], message.get("content")
            if role in ("system", "developer"):
                system.append(text_of(content))
                continue
            parts = []
            if role == "tool":
                parts.append(("result", message["tool_call_id"], result_text(text_of(content))))
                # Results of one round are one turn, as other dialects have it.
                if turns and turns[-1]["role"] == "tool":
                    turns[-1]["parts"] += parts
                    continue
            elif isinstance(content, str):
                parts.append(("text", content))
            else:
                for part in content or []:
                    if part["type"] == "image_url":
                        parts.append(data_url(part["image_url"]["url"]))
                    elif part["type"] in ("text", "refusal"):
                        parts.append(("text", part.get("text") or part.get("refusal")))
            if message.get("reasoning_content"):
                parts.insert(0, ("thought", message["reasoning_content"], None))
            for call in message.get("tool_calls") or []:
                parts.append(("call", call["id"], call["function"]["name"], json.loads(call["function"]["arguments"])))
            turns.append({"role": role, "parts": parts})
        schema = (body.get("response_format") or {}).get("json_schema", {}).get("schema")
        choice = body.get("tool_choice")
        return {
            "system": "\n".join(system), "turns": turns, "schema": schema,
            "tools": [tool["function"]["name"] for tool in body.get("tools") or []],
            "choice": choice["function"]["name"] if isinstance(choice, dict) else choice,
            "max_tokens": body.get("max_completion_tokens") or body.get("max_tokens"),
        }

    def complaint(self, body, headers):
        if not headers.get("authorization", "").startswith("Bearer ") and "api-key" not in headers:
            return "You didn't provide an API key."
        if not body.get("messages"):
            return "'messages' is too short"
        open_calls = set()
        for message in body["messages"]:
            if message["role"] == "tool":
                if message["tool_call_id"] not in open_calls:
                    return "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
                open_calls.discard(message["tool_call_id"])
            elif open_calls:
                return f"An assistant message with 'tool_calls' must be followed by tool messages: {sorted(open_calls)}"
            open_calls |= {call["id"] for call in message.get("tool_calls") or []}
        if body.get("stream_options") and not body.get("stream"):
            return "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        return None

    def usage(self, usage):
        return {
            "prompt_tokens": usage.input, "completion_tokens": usage.output, "total_tokens": usage.input + usage.output,
            "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": usage.reasoning, "audio_tokens": 0},
        }

    def whole(self, model, scene, body=None):
        message = {"role": "assistant", "content": "".join(part.text for part in scene.of(Text)) or None, "refusal": None}
        for part in scene.of(Thought):
            message["reasoning_content"] = part.text
        for part in scene.of(Refusal):
            message["refusal"] = part.text
        calls = [
            {"id": part.id, "type": "function", "function": {"name": part.name, "arguments": dump(part.arguments)}}
            for part in scene.of(Call)
        ]
        if calls:
            message["tool_calls"] = calls
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finishes[scene.finish]}
        return {
            "id": f"chatcmpl-up{scene.number}", "object": "chat.completion", "created": 1700000000, "model": model, "choices": [choice],
            "usage": self.usage(scene.usage), "service_tier": "default", "system_fingerprint": "fp_1",
        }

    def frames(self, model, scene, body):
        def chunk(delta, finish=None, **more):
            choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
            return sse({"id": f"chatcmpl-up{scene.number}", "object": "chat.completion.chunk", "created": 1700000000, "model": model,
                        "choices": choices, **more})

        yield chunk({"role": "assistant", "content": "", "refusal": None})
        for part in scene.parts:
            if isinstance(part, Thought):
                yield from (chunk({"reasoning_content": piece}) for piece in pieces(part.text))
            elif isinstance(part, Text):
                yield from (chunk({"content": piece}) for piece in pieces(part.text))
            elif isinstance(part, Refusal):
                yield from (chunk({"refusal": piece}) for piece in pieces(part.text))
        calls = scene.of(Call)
        for index, part in enumerate(calls):
            function = {"name": part.name, "arguments": ""}
            yield chunk({"tool_calls": [{"index": index, "id": part.id, "type": "function", "function": function}]})
            for piece in pieces(dump(part.arguments), 5):
                yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
        yield chunk({}, self.finishes[scene.finish])
        if (body.get("stream_options") or {}).get("include_usage"):
            yield sse({"id": f"chatcmpl-up{scene.number}", "object": "chat.completion.chunk", "created": 1700000000, "model": model,
                       "choices": [], "usage": self.usage(scene.usage)})
        yield b"data: [DONE]\n\n"

    def error(self, status, kind, message):
        return {"error": {"message": message, "type": self.kinds[kind], "param": None, "code": kind}}


class OpenAiResponses:
    name = "openai-responses"
    content_type = "text/event-stream"
    error = OpenAiChat.error
    kinds = OpenAiChat.kinds

    def read(self, body):
        system, turns = [], []
        if body.get("instructions"):
            system.append(body["instructions"])
        items = body.get("input") or []
        if isinstance(items, str):
            items = [{"role": "user", "content": items}]

        def add(role, part):
            if turns and turns[-1]["role"] == role:
                turns[-1]["parts"].append(part)
            else:
                turns.append({"role": role, "parts": [part]})

        for item in items:
            kind = item.get("type", "message")
            if kind == "message" and item["role"] in ("system", "developer"):
                system.append(text_of(item["content"]))
            elif kind == "message":
                content = item["content"]
                for part in [{"type": "input_text", "text": content}] if isinstance(content, str) else content:
                    if part["type"] == "input_image":
                        add(item["role"], data_url(part["image_url"]))
                    else:
                        add(item["role"], ("text", part.get("text") or part.get("refusal")))
            elif kind == "function_call":
                add("assistant", ("call", item["call_id"], item["name"], json.loads(item["arguments"])))
            elif kind == "function_call_output":
                add("tool", ("result", item["call_id"], result_text(text_of(item["output"]))))
            elif kind == "reasoning":
                add("assistant", ("thought", text_of(item.get("summary")), item.get("encrypted_content")))
        form = (body.get("text") or {}).get("format") or {}
        choice = body.get("tool_choice")
        return {
            "system": "\n".join(system), "turns": turns, "schema": form.get("schema"),
            "tools": [tool["name"] for tool in body.get("tools") or []],
            "choice": choice["name"] if isinstance(choice, dict) else choice,
            "max_tokens": body.get("max_output_tokens"),
        }

    def complaint(self, body, headers):
        if not headers.get("authorization", "").startswith("Bearer "):
            return "You didn't provide an API key."
        items = body.get("input")
        if not items:
            return "Missing required parameter: 'input'."
        calls = {item["call_id"] for item in items if isinstance(item, dict) and item.get("type") == "function_call"}
        outputs = {item["call_id"] for item in items if isinstance(item, dict) and item.get("type") == "function_call_output"}
        if outputs - calls and not body.get("previous_response_id"):
            return f"No tool call found for function call output with call_id {sorted(outputs - calls)}."
        if calls - outputs:
            return f"No tool output found for function call {sorted(calls - outputs)}."
        if "messages" in body or "max_tokens" in body:
            return "Unsupported parameter."
        return None

    def items(self, scene):
        for at, part in enumerate(scene.parts):
            if isinstance(part, Thought):
                yield {"type": "reasoning", "id": f"rs_{at}", "summary": [{"type": "summary_text", "text": part.text}],
                       "encrypted_content": part.signature, "status": "completed"}
            elif isinstance(part, Call):
                yield {"type": "function_call", "id": f"fc_{at}", "call_id": part.id, "name": part.name,
                       "arguments": dump(part.arguments), "status": "completed"}
            else:
                content = (
                    {"type": "refusal", "refusal": part.text} if isinstance(part, Refusal)
                    else {"type": "output_text", "text": part.text, "annotations": [], "logprobs": []}
                )
                yield {"type": "message", "id": f"msg_{at}", "role": "assistant", "status": "completed", "content": [content]}

    def whole(self, model, scene, body=None, items=None, status=None):
        short = scene.finish == "length"
        body = body or {}
        usage = {
            "input_tokens": scene.usage.input, "input_tokens_details": {"cached_tokens": scene.usage.cached},
            "output_tokens": scene.usage.output, "output_tokens_details": {"reasoning_tokens": scene.usage.reasoning},
            "total_tokens": scene.usage.input + scene.usage.output,
        }
        status = status or ("incomplete" if short else "completed")
        return {
            "id": f"resp_up{scene.number}", "object": "response", "created_at": 1700000000, "status": status, "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
            "instructions": body.get("instructions"), "max_output_tokens": body.get("max_output_tokens"), "metadata": {},
            "model": model, "output": list(self.items(scene)) if items is None else items, "parallel_tool_calls": True,
            "previous_response_id": body.get("previous_response_id"), "reasoning": {"effort": None, "summary": None},
            "store": body.get("store", True), "temperature": 1.0, "text": body.get("text") or {"format": {"type": "text"}},
            "tool_choice": body.get("tool_choice", "auto"), "tools": body.get("tools") or [], "top_p": 1.0,
            "truncation": "disabled", "usage": usage if status != "in_progress" else None, "user": None,
        }

    def frames(self, model, scene, body):
        number = 0

        def event(kind, **more):
            nonlocal number
            number += 1
            return sse({"type": kind, "sequence_number": number - 1, **more}, kind)

        begun = self.whole(model, scene, body, items=[], status="in_progress")
        yield event("response.created", response=begun)
        yield event("response.in_progress", response=begun)
        for at, item in enumerate(self.items(scene)):
            where = {"item_id": item["id"], "output_index": at}
            empty = {**item, "status": "in_progress"}
            if item["type"] == "function_call":
                yield event("response.output_item.added", output_index=at, item={**empty, "arguments": ""})
                for piece in pieces(item["arguments"], 5):
                    yield event("response.function_call_arguments.delta", **where, delta=piece)
                yield event("response.function_call_arguments.done", **where, arguments=item["arguments"], name=item["name"])
            elif item["type"] == "reasoning":
                yield event("response.output_item.added", output_index=at, item={**empty, "summary": [], "encrypted_content": ""})
                place = {**where, "summary_index": 0}
                [summary] = item["summary"]
                yield event("response.reasoning_summary_part.added", **place, part={"type": "summary_text", "text": ""})
                for piece in pieces(summary["text"]):
                    yield event("response.reasoning_summary_text.delta", **place, delta=piece)
                yield event("response.reasoning_summary_text.done", **place, text=summary["text"])
                yield event("response.reasoning_summary_part.done", **place, part=summary)
            else:
                yield event("response.output_item.added", output_index=at, item={**empty, "content": []})
                place = {**where, "content_index": 0}
                [content] = item["content"]
                kind, member = ("refusal", "refusal") if content["type"] == "refusal" else ("output_text", "text")
                more = {"logprobs": []} if member == "text" else {}
                yield event("response.content_part.added", **place, part={**content, member: ""})
                for piece in pieces(content[member]):
                    yield event(f"response.{kind}.delta", **place, delta=piece, **more)
                yield event(f"response.{kind}.done", **place, **{member: content[member]}, **more)
                yield event("response.content_part.done", **place, part=content)
            yield event("response.output_item.done", output_index=at, item=item)
        ended = self.whole(model, scene, body)
        yield event(f"response.{ended['status']}", response=ended)


class Anthropic:
    name = "anthropic-messages"
    content_type = "text/event-stream"
    finishes = {"stop": "end_turn", "length": "max_tokens", "tool": "tool_use", "refusal": "refusal"}
    kinds = {
        "invalid": "invalid_request_error", "auth": "authentication_error", "forbidden": "permission_error",
        "missing": "not_found_error", "limited": "rate_limit_error", "server": "api_error", "overloaded": "overloaded_error",
    }

    def read(self, body):
        turns = []
        for message in body.get("messages", []):
            content = message["content"]
            parts, results = [], []
            for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
                match part["type"]:
                    case "text":
                        parts.append(("text", part["text"]))
                    case "image":
                        parts.append(("image", part["source"]["media_type"], part["source"]["data"]))
                    case "tool_use":
                        parts.append(("call", part["id"], part["name"], part["input"]))
                    case "tool_result":
                        results.append(("result", part["tool_use_id"], result_text(text_of(part.get("content")))))
                    case "thinking":
                        parts.append(("thought", part["thinking"], part["signature"]))
                    case "redacted_thinking":
                        parts.append(("thought", "", part["data"]))
            if results:
                turns.append({"role": "tool", "parts": results})
            if parts:
                turns.append({"role": message["role"], "parts": parts})
        choice = body.get("tool_choice")
        output = body.get("output_config") or body.get("output_format") or {}
        schema = (output.get("format") or output).get("schema")
        return {
            "system": text_of(body.get("system")), "turns": turns, "schema": schema,
            "tools": [tool["name"] for tool in body.get("tools") or []],
            "choice": choice and (choice.get("name") or choice["type"]),
            "max_tokens": body.get("max_tokens"),
        }

    def complaint(self, body, headers):
        if "x-api-key" not in headers and not headers.get("authorization", "").startswith("Bearer "):
            return "x-api-key header is required"
        if "anthropic-version" not in headers:
            return "anthropic-version: header is required"
        if not isinstance(body.get("max_tokens"), int):
            return "max_tokens: Field required"
        known = {
            "model", "messages", "max_tokens", "system", "tools", "tool_choice", "stream", "temperature", "top_p", "top_k",
            "stop_sequences", "metadata", "thinking", "output_config", "output_format", "service_tier", "container",
            "context_management", "mcp_servers", "cache_control", "inference_geo",
        }
        if extra := sorted(set(body) - known):
            return f"{extra[0]}: Extra inputs are not permitted"
        messages = body.get("messages") or []
        if not messages or messages[0]["role"] != "user":
            return "messages: first message must use the \"user\" role"
        used = set()
        for at, message in enumerate(messages):
            blocks = [] if isinstance(message["content"], str) else message["content"]
            if not message["content"]:
                return f"messages.{at}: all messages must have non-empty content"
            for block in blocks:
                if block["type"] == "text" and not block["text"].strip():
                    return f"messages.{at}: text content blocks must contain non-whitespace text"
            results = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
            if results != used:
                return f"messages.{at}: `tool_use` ids were found without `tool_result` blocks, or the reverse: {sorted(used ^ results)}"
            used = {block["id"] for block in blocks if block["type"] == "tool_use"}
            if used and body.get("thinking", {}).get("type") in ("enabled", "adaptive") and blocks[0]["type"] not in ("thinking", "redacted_thinking"):
                return f"messages.{at}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{blocks[0]['type']}`."
        thinking = body.get("thinking") or {}
        if thinking.get("type") == "enabled" and thinking["budget_tokens"] >= body["max_tokens"]:
            return "`max_tokens` must be greater than `thinking.budget_tokens`."
        return None

    def block(self, part):
        if isinstance(part, Thought):
            return {"type": "thinking", "thinking": part.text, "signature": part.signature}
        if isinstance(part, Call):
            return {"type": "tool_use", "id": part.id, "name": part.name, "input": part.arguments}
        return {"type": "text", "text": part.text}

    def usage(self, usage):
        return {
            "input_tokens": usage.input - usage.cached, "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": usage.cached, "output_tokens": usage.output,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}, "service_tier": "standard",
        }

    def whole(self, model, scene, body=None):
        return {
            "id": f"msg_up{scene.number}", "type": "message", "role": "assistant", "model": model,
            "content": [self.block(part) for part in scene.parts], "stop_reason": self.finishes[scene.finish],
            "stop_sequence": None, "usage": self.usage(scene.usage),
        }

    def frames(self, model, scene, body):
        def event(kind, **more):
            return sse({"type": kind, **more}, kind)

        usage = {**self.usage(scene.usage), "output_tokens": 1}
        begun = {**self.whole(model, scene), "content": [], "stop_reason": None, "usage": usage}
        yield event("message_start", message=begun)
        yield event("ping")
        for at, part in enumerate(scene.parts):
            block = self.block(part)
            if isinstance(part, Thought):
                empty, deltas = {"thinking": "", "signature": ""}, [
                    *({"type": "thinking_delta", "thinking": piece} for piece in pieces(part.text)),
                    {"type": "signature_delta", "signature": part.signature},
                ]
            elif isinstance(part, Call):
                empty = {"input": {}}
                deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *pieces(dump(part.arguments), 5)]]
            else:
                empty, deltas = {"text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces(part.text)]
            yield event("content_block_start", index=at, content_block={**block, **empty})
            for delta in deltas:
                yield event("content_block_delta", index=at, delta=delta)
            yield event("content_block_stop", index=at)
        delta = {"stop_reason": self.finishes[scene.finish], "stop_sequence": None}
        yield event("message_delta", delta=delta, usage={"output_tokens": scene.usage.output})
        yield event("message_stop")

    def error(self, status, kind, message):
        return {"type": "error", "error": {"type": self.kinds[kind], "message": message}, "request_id": "req_up1"}


class Gemini:
    name = "gemini"
    content_type = "text/event-stream"
    finishes = {"stop": "STOP", "length": "MAX_TOKENS", "tool": "STOP", "refusal": "SAFETY"}
    kinds = {
        "invalid": "INVALID_ARGUMENT", "auth": "UNAUTHENTICATED", "forbidden": "PERMISSION_DENIED", "missing": "NOT_FOUND",
        "limited": "RESOURCE_EXHAUSTED", "server": "INTERNAL", "overloaded": "UNAVAILABLE",
    }

    def read(self, body):
        turns = []
        for content in body.get("contents", []):
            parts, results = [], []
            for part in content["parts"]:
                signature = part.get("thoughtSignature")
                if "functionCall" in part:
                    call = part["functionCall"]
                    parts.append(("call", call.get("id"), call["name"], call.get("args") or {}))
                    if signature:
                        parts.append(("thought", "", signature))
                elif "functionResponse" in part:
                    answer = part["functionResponse"]
                    said = answer["response"]
                    said = said.get("result", said.get("output", said)) if isinstance(said, dict) else said
                    results.append(("result", answer.get("id") or answer["name"], said if isinstance(said, str) else dump(said)))
                elif "inlineData" in part:
                    # Either spelling is Google's, and its own Python client writes the second.
                    data = part["inlineData"]
                    parts.append(("image", data.get("mimeType") or data["mime_type"], data["data"]))
                elif part.get("thought"):
                    parts.append(("thought", part["text"], signature))
                else:
                    parts.append(("text", part["text"]))
                    if signature:
                        parts.append(("thought", "", signature))
            if results:
                turns.append({"role": "tool", "parts": results})
            if parts:
                turns.append({"role": {"model": "assistant"}.get(content.get("role"), "user"), "parts": parts})
        config = body.get("generationConfig") or {}
        mode = ((body.get("toolConfig") or {}).get("functionCallingConfig") or {})
        return {
            "system": text_of((body.get("systemInstruction") or {}).get("parts")), "turns": turns,
            "schema": config.get("responseJsonSchema") or config.get("responseSchema"),
            "tools": [one["name"] for tool in body.get("tools") or [] for one in tool.get("functionDeclarations") or []],
            "choice": (mode.get("allowedFunctionNames") or [mode.get("mode")])[0],
            "max_tokens": config.get("maxOutputTokens"),
        }

    def complaint(self, body, headers):
        if "x-goog-api-key" not in headers:
            return "Method doesn't allow unregistered callers."
        known = {
            "contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings", "cachedContent",
            "labels", "model", "serviceTier", "store",
        }
        if extra := sorted(set(body) - known):
            return f"Invalid JSON payload received. Unknown name \"{extra[0]}\": Cannot find field."
        waiting = 0
        for content in body.get("contents") or []:
            if not content.get("parts"):
                return "GenerateContentRequest.contents: contents.parts must not be empty."
            if content.get("role") not in (None, "user", "model"):
                return "Please use a valid role: user, model."
            answers = sum("functionResponse" in part for part in content["parts"])
            if answers != waiting:
                return "Please ensure that the number of function response parts is equal to the number of function call parts."
            waiting = sum("functionCall" in part for part in content["parts"])
        if not body.get("contents"):
            return "* GenerateContentRequest.contents: contents is not specified"
        return None

    def part(self, part):
        if isinstance(part, Call):
            made = {"functionCall": {"name": part.name, "args": part.arguments, "id": part.id}}
            return {**made, "thoughtSignature": part.signature} if part.signature else made
        if isinstance(part, Thought):
            return {"text": part.text, "thought": True}
        return {"text": part.text}

    def answer(self, model, scene, parts, finish, usage=True):
        counted = scene.usage
        metadata = {
            "promptTokenCount": counted.input, "candidatesTokenCount": counted.output - counted.reasoning,
            "totalTokenCount": counted.input + counted.output, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": counted.input}],
        }
        if counted.cached:
            metadata["cachedContentTokenCount"] = counted.cached
        if counted.reasoning:
            metadata["thoughtsTokenCount"] = counted.reasoning
        candidate = {"index": 0}
        if scene.finish != "refusal":
            candidate["content"] = {"role": "model", "parts": parts}
        if finish:
            candidate["finishReason"] = finish
        return {"candidates": [candidate], "usageMetadata": metadata, "modelVersion": model, "responseId": f"gem_up{scene.number}"}

    def parts(self, scene):
        """A thought's signature stands on the part behind it."""
        made, signature = [], None
        for part in scene.parts:
            one = self.part(part)
            if isinstance(part, Thought):
                signature = part.signature
            elif signature:
                one = {"thoughtSignature": signature, **one}
                signature = None
            made.append(one)
        return made

    def whole(self, model, scene, body=None):
        return self.answer(model, scene, self.parts(scene), self.finishes[scene.finish])

    def frames(self, model, scene, body):
        for one in self.parts(scene):
            if "text" in one and scene.finish != "refusal":
                texts = pieces(one["text"])
                signature = one.pop("thoughtSignature", None)
                for text in texts:
                    yield sse(self.answer(model, scene, [{**one, "text": text}], None))
                if signature:
                    # As the vendor streams it: on an empty text behind the others.
                    yield sse(self.answer(model, scene, [{"text": "", "thoughtSignature": signature}], None))
            elif scene.finish != "refusal":
                yield sse(self.answer(model, scene, [one], None))
        yield sse(self.answer(model, scene, [{"text": ""}], self.finishes[scene.finish]))

    def error(self, status, kind, message):
        return {"error": {"code": status, "message": message, "status": self.kinds[kind]}}


class Ollama:
    name = "ollama"
    content_type = "application/x-ndjson"
    finishes = {"stop": "stop", "length": "length", "tool": "stop", "refusal": "stop"}

    def read(self, body):
        system, turns = [], []
        messages = body.get("messages")
        if messages is None:
            messages = [{"role": "user", "content": body.get("prompt", ""), "images": body.get("images")}]
            system = [body["system"]] if body.get("system") else []
        for message in messages:
            if message["role"] == "system":
                system.append(message["content"])
                continue
            if message["role"] == "tool":
                part = ("result", message.get("tool_call_id") or message.get("tool_name"), result_text(message["content"]))
                if turns and turns[-1]["role"] == "tool":
                    turns[-1]["parts"].append(part)
                else:
                    turns.append({"role": "tool", "parts": [part]})
                continue
            parts = [("thought", message["thinking"], None)] if message.get("thinking") else []
            if message.get("content"):
                parts.append(("text", message["content"]))
            parts += [("image", None, image) for image in message.get("images") or []]
            for call in message.get("tool_calls") or []:
                parts.append(("call", call.get("id"), call["function"]["name"], call["function"]["arguments"]))
            turns.append({"role": message["role"], "parts": parts})
        form = body.get("format")
        return {
            "system": "\n".join(system), "turns": turns, "schema": form if isinstance(form, dict) else None,
            "tools": [tool["function"]["name"] for tool in body.get("tools") or []], "choice": None,
            "max_tokens": (body.get("options") or {}).get("num_predict"),
        }

    def complaint(self, body, headers):
        if not body.get("messages") and "prompt" not in body:
            return "missing request body"
        for message in body.get("messages") or []:
            for call in message.get("tool_calls") or []:
                if not isinstance(call["function"]["arguments"], dict):
                    return "json: cannot unmarshal string into Go struct field arguments of type map[string]interface {}"
            if not isinstance(message.get("content", ""), str):
                return "json: cannot unmarshal array into Go struct field content of type string"
        return None

    def line(self, model, message, scene=None, body=None):
        said = {"model": model, "created_at": "2026-11-20T01:02:03.456789Z"}
        if body is not None and "messages" not in body:
            said["response"] = message.get("content", "")
            if message.get("thinking"):
                said["thinking"] = message["thinking"]
        else:
            said["message"] = {"role": "assistant", "content": "", **message}
        if scene is None:
            return {**said, "done": False}
        return {
            **said, "done": True, "done_reason": self.finishes[scene.finish], "total_duration": 5_000_000, "load_duration": 1_000_000,
            "prompt_eval_count": scene.usage.input, "prompt_eval_duration": 1_000_000, "eval_count": scene.usage.output,
            "eval_duration": 2_000_000,
        }

    def calls(self, scene):
        return [
            {"id": part.id, "function": {"index": at, "name": part.name, "arguments": part.arguments}}
            for at, part in enumerate(scene.of(Call))
        ]

    def whole(self, model, scene, body=None):
        message = {"content": "".join(part.text for part in scene.of((Text, Refusal)))}
        if thoughts := scene.of(Thought):
            message["thinking"] = thoughts[0].text
        if calls := self.calls(scene):
            message["tool_calls"] = calls
        return self.line(model, message, scene, body)

    def frames(self, model, scene, body):
        def line(*arguments):
            return (dump(self.line(model, *arguments, body=body)) + "\n").encode()

        for part in scene.parts:
            if isinstance(part, Thought):
                yield from (line({"thinking": piece}) for piece in pieces(part.text))
            elif not isinstance(part, Call):
                yield from (line({"content": piece}) for piece in pieces(part.text))
        for call in self.calls(scene):
            yield line({"tool_calls": [call]})
        yield line({}, scene)

    def error(self, status, kind, message):
        return {"error": message}


DIALECTS = {dialect.name: dialect for dialect in (OpenAiChat(), OpenAiResponses(), Anthropic(), Gemini(), Ollama())}
