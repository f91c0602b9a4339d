"""A scripted OpenAI-compatible upstream. Standard library only.

The model's name picks the behaviour; `BEHAVIOURS` lists them. Every request is kept and given back by
`GET /_requests` (oldest first, bodies in base64), so that a test can look at the very bytes that arrived;
`DELETE /_requests` forgets them.

    python3 upstream.py [PORT]      # prints {"port": N} once it listens; 0 takes a free port
"""

import asyncio
import base64
import contextlib
import json
import socket
import struct
import sys

# What a client sent that the upstream must get, and what the upstream sends that the client must get.
UNKNOWN = {"vendor_note": {"kept": [1, 2.50, "드"]}, "x_score": 1e-7}
# 1 + 1e-7 and friends: values a decimal round trip would spoil.
VECTOR = [0.0023064255, -0.009327292, 0.015797347]
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 64},
    "completion_tokens_details": {"reasoning_tokens": 7},
}
TOOL_CALLS = [
    ("call_a", "get_weather", '{"city": "서울", "unit": "C"}'),
    ("call_b", "get_time", '{"zone": "Asia/Seoul"}'),
]
WORDS = [f"word{n} " for n in range(20)]
MODELS = [
    "echo", "tools", "usage", "slow", "stall", "stall-mid", "cut", "cut-clean", "badjson", "badjson-stream",
    "err429", "err500", "err401", "unknown-fields", "html200", "refuse-stream-error", "embed", "from-documents", "quotes",
]


class Cut(Exception):
    """Ends the connection with a reset, in the middle of whatever was being said."""


class Answer:
    """Writes one HTTP/1.1 answer."""

    def __init__(self, writer):
        self.writer = writer

    async def whole(self, status, body, content_type="application/json", headers=()):
        if not isinstance(body, bytes):
            body = json.dumps(body, ensure_ascii=False).encode()
        self.head(status, [("content-type", content_type), ("content-length", len(body)), *headers])
        self.writer.write(body)
        await self.writer.drain()

    def head(self, status, headers):
        lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers), "", ""]
        self.writer.write("\r\n".join(lines).encode())

    def start_stream(self, content_type="text/event-stream"):
        self.head(200, [("content-type", content_type), ("transfer-encoding", "chunked"), ("x-request-id", "req_1")])

    async def chunk(self, data):
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await self.writer.drain()

    async def event(self, payload):
        await self.chunk(b"data: " + json.dumps(payload, ensure_ascii=False).encode() + b"\n\n")

    async def done(self):
        await self.chunk(b"data: [DONE]\n\n")
        await self.end()

    async def end(self):
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()


def last_user_text(body):
    for message in reversed(body.get("messages", [])):
        if message.get("role") == "user":
            content = message.get("content")
            if isinstance(content, str):
                return content
            return "".join(part.get("text", "") for part in content if part.get("type") == "text")
    return ""


def completion(model, message, finish="stop", usage=None, **more):
    return {
        "id": "chatcmpl-up",
        "object": "chat.completion",
        "created": 1700000000,
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", **message}, "logprobs": None, "finish_reason": finish}],
        "usage": usage or {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14},
        **more,
    }


def piece(model, delta=None, finish=None, **more):
    return {
        "id": "chatcmpl-up",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": model,
        "choices": [{"index": 0, "delta": delta or {}, "logprobs": None, "finish_reason": finish}],
        **more,
    }


async def stream_text(answer, body, words, usage=None, pause=0.0, **more):
    """A whole, well-formed stream; with the usage chunk only when it is asked for, as the real one does."""
    model = body["model"]
    answer.start_stream()
    await answer.event(piece(model, {"role": "assistant", "content": ""}, **more))
    for word in words:
        if pause:
            await asyncio.sleep(pause)
        await answer.event(piece(model, {"content": word}, **more))
    await answer.event(piece(model, {}, "stop", **more))
    await send_usage(answer, body, usage)
    await answer.done()


async def send_usage(answer, body, usage=None):
    if (body.get("stream_options") or {}).get("include_usage"):
        usage = usage or {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}
        await answer.event({**piece(body["model"]), "choices": [], "usage": usage})


async def echo(answer, body, _):
    text = last_user_text(body)
    if body.get("stream"):
        await stream_text(answer, body, [text[i : i + 7] for i in range(0, len(text), 7)])
    else:
        await answer.whole(200, completion(body["model"], {"content": text}))


async def tools(answer, body, _):
    if not body.get("stream"):
        calls = [
            {"id": call, "type": "function", "function": {"name": name, "arguments": arguments}}
            for call, name, arguments in TOOL_CALLS
        ]
        await answer.whole(200, completion(body["model"], {"content": None, "tool_calls": calls}, "tool_calls"))
        return
    model = body["model"]
    answer.start_stream()
    await answer.event(piece(model, {"role": "assistant", "content": None}))
    for index, (call, name, _) in enumerate(TOOL_CALLS):
        function = {"name": name, "arguments": ""}
        await answer.event(piece(model, {"tool_calls": [{"index": index, "id": call, "type": "function", "function": function}]}))
    # The arguments of both calls, in small pieces, interleaved.
    for start in range(0, max(len(arguments) for *_, arguments in TOOL_CALLS), 5):
        for index, (*_, arguments) in enumerate(TOOL_CALLS):
            if arguments[start : start + 5]:
                function = {"arguments": arguments[start : start + 5]}
                await answer.event(piece(model, {"tool_calls": [{"index": index, "function": function}]}))
    await answer.event(piece(model, {}, "tool_calls"))
    await send_usage(answer, body)
    await answer.done()


async def usage(answer, body, _):
    if body.get("stream"):
        await stream_text(answer, body, ["counted"], USAGE)
    else:
        await answer.whole(200, completion(body["model"], {"content": "counted"}, usage=USAGE))


async def slow(answer, body, _):
    if body.get("stream"):
        await stream_text(answer, body, WORDS, pause=0.05)
    else:
        await asyncio.sleep(0.05 * len(WORDS))
        await answer.whole(200, completion(body["model"], {"content": "".join(WORDS)}))


async def stall(answer, body, _):
    """The head comes, then nothing."""
    if body.get("stream"):
        answer.start_stream()
    else:
        answer.head(200, [("content-type", "application/json"), ("content-length", 500)])
    await answer.writer.drain()
    await asyncio.sleep(3600)


async def stall_mid(answer, body, _):
    """Half an answer comes, then nothing."""
    answer.start_stream()
    await answer.event(piece(body["model"], {"role": "assistant", "content": "half "}))
    await asyncio.sleep(3600)


async def cut_now():
    # What was said is heard first; a reset may overtake it.
    await asyncio.sleep(0.05)
    raise Cut


async def cut(answer, body, _):
    """The connection breaks in the middle of an event, or of the body."""
    if not body.get("stream"):
        answer.head(200, [("content-type", "application/json"), ("content-length", 500)])
        answer.writer.write(b'{"id": "chatcmpl-up", "choices": [{"index": 0, "mess')
        await answer.writer.drain()
        await cut_now()
    answer.start_stream()
    await answer.event(piece(body["model"], {"role": "assistant", "content": "half "}))
    await answer.chunk(b'data: {"id": "chatcmpl-up", "choices": [{"index": 0, "del')
    await cut_now()


async def cut_clean(answer, body, _):
    """The body ends as HTTP wants it, but the answer in it does not."""
    if not body.get("stream"):
        # A whole answer cut short at its tail, its length said truly.
        await answer.whole(200, json.dumps(completion(body["model"], {"content": "half an ans"})).encode()[:-40])
        return
    answer.start_stream()
    await answer.event(piece(body["model"], {"role": "assistant", "content": "half "}))
    await answer.event(piece(body["model"], {"content": "an answer"}))
    await answer.end()


async def badjson(answer, body, _):
    if body.get("stream"):
        await badjson_stream(answer, body, _)
    else:
        await answer.whole(200, b'{"id": "chatcmpl-up", "choices": [}')


async def badjson_stream(answer, body, _):
    answer.start_stream()
    await answer.event(piece(body["model"], {"role": "assistant", "content": "half "}))
    await answer.chunk(b'data: {"id": "chatcmpl-up", "choices": [}\n\n')
    await answer.event(piece(body["model"], {}, "stop"))
    await answer.done()


async def stream_error(answer, body, _):
    """An error inside a stream that began well, as vendors send it."""
    answer.start_stream()
    await answer.event(piece(body["model"], {"role": "assistant", "content": "half "}))
    await answer.event({"error": {"message": "the model ran out of memory", "type": "server_error", "code": "oom"}})
    await answer.end()


def error(message, kind, code):
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


async def err429(answer, body, _):
    problem = error("Rate limit reached for requests", "requests", "rate_limit_exceeded")
    await answer.whole(429, problem, headers=[("retry-after", 1)])


async def err500(answer, body, _):
    await answer.whole(500, error("The server had an error", "server_error", None))


async def err401(answer, body, headers):
    """Quotes the key it refuses, as some vendors do."""
    key = headers.get("authorization", "").removeprefix("Bearer ")
    await answer.whole(401, error(f"Incorrect API key provided: {key}.", "invalid_request_error", "invalid_api_key"))


async def unknown_fields(answer, body, _):
    if body.get("stream"):
        await stream_text(answer, body, ["kept"], **UNKNOWN)
    else:
        message = {"content": "kept", "refusal": None, "reasoning_content": "thought", "vendor_part": {"a": 1}}
        await answer.whole(200, completion(body["model"], message, **UNKNOWN))


async def html200(answer, body, _):
    await answer.whole(200, b"<html><body>Please log in to the hotel Wi-Fi</body></html>", "text/html")


async def from_documents(answer, body, _):
    """A model that answers out of the prompt it was given: cites the first chunk by quoting it."""
    prompt = "\n".join(m["content"] for m in body["messages"] if isinstance(m.get("content"), str))
    await echo(answer, {**body, "messages": [{"role": "user", "content": answer_from(prompt)}]}, _)


def answer_from(prompt):
    return "The warehouse opens at seven [1]. The moon is made of cheese [9]." if "[1]" in prompt else "no sources"


QUOTES = (
    'The warehouse "opens at seven" [1]. 그리고 "opens at noon on Sundays" [1] as well. '
    "The moon is made of green cheese and crackers."
)


async def quotes(answer, body, _):
    """A model that quotes rightly, then wrongly, then says what no source holds."""
    await echo(answer, {**body, "messages": [{"role": "user", "content": QUOTES}]}, _)


BEHAVIOURS = {
    "echo": echo,
    "tools": tools,
    "usage": usage,
    "slow": slow,
    "stall": stall,
    "stall-mid": stall_mid,
    "cut": cut,
    "cut-clean": cut_clean,
    "badjson": badjson,
    "badjson-stream": badjson_stream,
    "refuse-stream-error": stream_error,
    "err429": err429,
    "err500": err500,
    "err401": err401,
    "unknown-fields": unknown_fields,
    "html200": html200,
    "from-documents": from_documents,
    "quotes": quotes,
}


async def embeddings(answer, body):
    inputs = body["input"] if isinstance(body["input"], list) else [body["input"]]
    vector = VECTOR
    if body.get("encoding_format") == "base64":
        vector = base64.b64encode(struct.pack(f"<{len(VECTOR)}f", *VECTOR)).decode()
    data = [{"object": "embedding", "index": index, "embedding": vector} for index in range(len(inputs))]
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    await answer.whole(200, {"object": "list", "data": data, "model": body["model"], "usage": usage})


class Upstream:
    """The server. `requests` holds what arrived."""

    def __init__(self):
        self.requests = []
        self.server = None

    async def start(self, port=0):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", port, backlog=1024, limit=1 << 24)
        return self.server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        try:
            while await self.serve_one(reader, writer):
                pass
        except Cut:
            # SO_LINGER 0: the peer sees a reset, not an orderly end.
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            with contextlib.suppress(Exception):
                writer.close()

    async def serve_one(self, reader, writer):
        line = await reader.readline()
        if not line:
            return False
        method, path, _ = line.decode().split(" ", 2)
        headers = {}
        while (line := await reader.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        body = await read_body(reader, headers)
        await self.route(method, path, headers, body, Answer(writer))
        return headers.get("connection", "").lower() != "close"

    async def route(self, method, path, headers, body, answer):
        if path == "/_requests":
            if method == "DELETE":
                self.requests.clear()
            await answer.whole(200, self.requests)
            return
        if path == "/v1/models":
            models = [{"id": name, "object": "model", "created": 1700000000, "owned_by": "script"} for name in MODELS]
            await answer.whole(200, {"object": "list", "data": models})
            return
        self.requests.append(
            {"method": method, "path": path, "headers": headers, "body": base64.b64encode(body).decode()}
        )
        try:
            parsed = json.loads(body)
        except ValueError:
            await answer.whole(400, error("we could not parse the JSON body", "invalid_request_error", None))
            return
        if path == "/v1/embeddings":
            await embeddings(answer, parsed)
        elif path == "/v1/chat/completions":
            # What follows `~` only tells targets apart, so that one's breaker is not another's.
            behaviour = BEHAVIOURS.get(str(parsed.get("model")).split("~")[0])
            if behaviour is None:
                problem = error(f"The model `{parsed.get('model')}` does not exist", "invalid_request_error", "model_not_found")
                await answer.whole(404, problem)
            else:
                await behaviour(answer, parsed, headers)
        else:
            await answer.whole(404, error("no such route", "invalid_request_error", None))


async def read_body(reader, headers):
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    if headers.get("transfer-encoding") != "chunked":
        return b""
    parts = []
    while size := int((await reader.readline()).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readline()
    await reader.readline()
    return b"".join(parts)


async def main():
    upstream = Upstream()
    port = await upstream.start(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    print(json.dumps({"port": port}), flush=True)
    # Whoever started this holds its stdin; when they are gone, so is the need for it.
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
