"""Scripted vendors, one a dialect, all on one port. Standard library only.

    /openai/v1  /responses/v1  /anthropic/v1  /gemini/v1beta  /ollama/api  /azure (deployments)

The model's name picks what is said (`scenes.py`). Two models read the question: `flaky` (and what begins so) does the
fault named in it (`fault=KIND`), `echo` gives it back. Every request is kept: `GET /_requests` gives them (bodies in base64), each with
what became of it: `outcome` is running, finished or gone; `began` and `ended` are monotonic times. `DELETE /_requests` forgets.

    python3 vendors.py [PORT]      # prints {"port": N} once it listens
"""

import asyncio
import base64
import contextlib
import json
import re
import struct
import sys
import time
import urllib.parse

import upstream
from dialects import DIALECTS
from scenes import ERRORS, MODELS, Scene, Text, last_text, scene_for
from upstream import VECTOR, cut_now

PREFIXES = {
    "openai": "openai-chat", "azure": "openai-chat", "responses": "openai-responses", "anthropic": "anthropic-messages",
    "gemini": "gemini", "ollama": "ollama",
}
API_VERSION = "2024-10-21"
AUDIO = bytes(range(256)) * 40
IMAGE = base64.b64encode(b"\x89PNG" + bytes(60)).decode()


class Call:
    """One request to a model, and the answer being written."""

    def __init__(self, dialect, model, body, answer, reader, record):
        self.dialect, self.model, self.body, self.answer, self.reader, self.record = dialect, model, body, answer, reader, record
        self.asked = dialect.read(body)
        default = dialect.name == "ollama"
        self.streaming = body.get("stream", default)

    async def say(self, scene, pause=0.0):
        scene = scene.told()
        if not self.streaming:
            await self.answer.whole(200, self.dialect.whole(self.model, scene, self.body))
            return
        self.start()
        for frame in self.dialect.frames(self.model, scene, self.body):
            if pause:
                await asyncio.sleep(pause)
            await self.answer.chunk(frame)
        await self.answer.end()

    def start(self, content_type=None):
        self.answer.start_stream(content_type or self.dialect.content_type)

    async def refuse(self, status, kind, message, headers=()):
        await self.answer.whole(status, self.dialect.error(status, kind, message), headers=headers)

    async def half(self, scene):
        """The first half of an answer, without an end."""
        if self.streaming:
            frames = list(self.dialect.frames(self.model, scene, self.body))
            self.start()
            for frame in frames[: len(frames) // 2]:
                await self.answer.chunk(frame)
            return frames[len(frames) // 2]
        whole = json.dumps(self.dialect.whole(self.model, scene, self.body)).encode()
        self.answer.head(200, [("content-type", "application/json"), ("content-length", len(whole))])
        self.answer.writer.write(whole[: len(whole) // 2])
        await self.answer.writer.drain()
        return whole[len(whole) // 2 :]

    async def gone(self):
        """Waits until the caller hangs up."""
        await self.reader.read()
        self.record["outcome"], self.record["ended"] = "gone", time.monotonic()
        raise ConnectionResetError


async def fault(call, kind, scene):
    """Does what goes wrong with vendors."""
    answer = call.answer
    match kind:
        case "429":
            await call.refuse(429, "limited", "slow down", [("retry-after", 1)])
        case "500":
            await call.refuse(500, "server", "the server had an error")
        case "503":
            await call.refuse(503, "overloaded", "overloaded")
        case "close":
            answer.writer.transport.abort()
            raise ConnectionResetError
        case "stall-head":
            await call.gone()
        case "stall-mid":
            await call.half(scene)
            await call.gone()
        case "cut":
            rest = await call.half(scene)
            if call.streaming:
                await answer.chunk(rest[: len(rest) // 2])
            await cut_now()
        case "cut-clean":
            if call.streaming:
                await call.half(scene)
                await answer.end()
            else:
                await answer.whole(200, json.dumps(call.dialect.whole(call.model, scene)).encode()[:-25])
        case "bad-json":
            if call.streaming:
                rest = await call.half(scene)
                await answer.chunk(rest.replace(b'":', b'":}', 1))
                await answer.end()
            else:
                await answer.whole(200, b'{"id": "x", "choices": [}')
        case "html":
            await answer.whole(200, b"<html><body>Please log in to the hotel Wi-Fi</body></html>", "text/html")
        case "drip":
            if call.streaming:
                call.start()
                for frame in call.dialect.frames(call.model, scene, call.body):
                    for at in range(0, len(frame), 40):
                        await answer.chunk(frame[at : at + 40])
                        await asyncio.sleep(0.001)
                await answer.end()
            else:
                whole = json.dumps(call.dialect.whole(call.model, scene)).encode()
                answer.head(200, [("content-type", "application/json"), ("content-length", len(whole))])
                for at in range(0, len(whole), 40):
                    answer.writer.write(whole[at : at + 40])
                    await answer.writer.drain()
                    await asyncio.sleep(0.001)
        case "huge":
            # One line that never ends: whoever keeps it whole runs out of memory.
            call.start("application/json" if not call.streaming else None)
            await answer.chunk(b'data: {"choices": "' if call.dialect.name != "ollama" else b'{"message": "')
            for _ in range(1200):
                await answer.chunk(b"x" * 65536)
            await answer.end()
        case _:
            await call.refuse(400, "invalid", f"there is no fault {kind}")


class Vendors(upstream.Upstream):
    """The server. `requests` holds what arrived."""

    def __init__(self):
        super().__init__()
        self.reader_of = {}

    async def serve(self, reader, writer):
        self.reader_of[writer] = reader
        try:
            await super().serve(reader, writer)
        finally:
            del self.reader_of[writer]

    async def route(self, method, path, headers, body, answer):
        if path == "/_requests":
            if method == "DELETE":
                self.requests.clear()
            await answer.whole(200, self.requests)
            return
        if method == "GET":
            # A list of models is asked for when nobody waits for it.
            await self.dispatch(method, path, headers, body, answer, {})
            return
        record = {"method": method, "path": path, "headers": headers, "body": base64.b64encode(body).decode(),
                  "outcome": "running", "began": time.monotonic()}
        self.requests.append(record)
        try:
            await self.dispatch(method, path, headers, body, answer, record)
            record["outcome"], record["ended"] = "finished", time.monotonic()
        finally:
            if record["outcome"] == "running":
                record["outcome"], record["ended"] = "gone", time.monotonic()

    async def dispatch(self, method, path, headers, body, answer, record):
        parts = urllib.parse.urlsplit(path)
        _, prefix, *rest = parts.path.split("/")
        query = dict(urllib.parse.parse_qsl(parts.query))
        if "openai" in rest[1:] or rest[:1] == ["v1"] and prefix == "ollama":
            # What these vendors speak beside their own.
            prefix, rest = "openai", [part for part in rest if part not in ("v1beta", "openai")]
        dialect = DIALECTS[PREFIXES[prefix]]
        rest = "/".join(rest).removeprefix("v1beta/").removeprefix("v1/").removeprefix("api/")
        if method == "GET":
            await answer.whole(200, lists(prefix, rest))
            return
        if headers.get("content-type", "").startswith("multipart/"):
            await multipart(rest, body, answer)
            return
        parsed = json.loads(body)
        model = parsed.get("model", "")
        if prefix == "gemini":
            name, _, verb = rest.removeprefix("models/").partition(":")
            model, rest = urllib.parse.unquote(name), verb
            parsed["stream"] = verb == "streamGenerateContent"
            if parsed["stream"] and query.get("alt") != "sse":
                raise ConnectionResetError
        elif prefix == "azure":
            found = re.fullmatch(r"openai/deployments/([^/]+)/(chat/completions|embeddings)", rest)
            if not found or query.get("api-version") != API_VERSION or "api-key" not in headers:
                await answer.whole(404, {"error": {"code": "404", "message": "Resource not found"}})
                return
            model, rest = urllib.parse.unquote(found[1]), found[2]
        if prefix == "ollama" and rest == "show":
            await answer.whole(*told_of(model))
            return
        beside = BESIDE.get(rest)
        if beside:
            await beside(prefix, model, parsed, answer)
            return
        stream = parsed.pop("stream", None) if prefix == "gemini" else parsed.get("stream")
        call = Call(dialect, model, parsed, answer, self.reader_of[answer.writer], record)
        if stream is not None:
            call.streaming = stream
        if complaint := dialect.complaint(parsed, headers):
            await call.refuse(400, "invalid", complaint)
        elif model.split("~")[0] in ERRORS:
            # What follows `~` only tells targets apart, so that one's breaker is not another's.
            status, kind = ERRORS[model.split("~")[0]]
            more = [("retry-after", 100)] if status in (429, 503) else []
            await call.refuse(status, kind, f"refused: {kind}", more)
        elif model.startswith("flaky"):
            text = last_text(call.asked)
            kind = re.search(r"fault=([a-z0-9-]+)", text)
            scene = Scene([Text(text)]).told()
            await (fault(call, kind[1], scene) if kind else call.say(scene))
        elif model == "forever":
            await call.half(Scene([Text("word " * 40)]))
            await call.gone()
        elif model in MODELS:
            await call.say(scene_for(model, call.asked), 0.02 if model == "slow" else 0.0)
        else:
            await call.refuse(404, "missing", f"there is no model {model}")


def lists(prefix, path):
    if prefix == "anthropic":
        made = [{"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"} for name in MODELS]
        return {"data": made, "has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]}
    if prefix == "gemini":
        return {"models": [
            {"name": f"models/{name}", "displayName": name, "inputTokenLimit": 1000, "outputTokenLimit": 100,
             "supportedGenerationMethods": ["generateContent"]} for name in MODELS
        ]}
    if prefix == "ollama":
        if path == "version":
            return {"version": "0.14.0"}
        details = {"format": "gguf", "family": "llama", "families": ["llama"], "parameter_size": "1B", "quantization_level": "Q4_0"}
        return {"models": [
            {"name": f"{name}:latest", "model": f"{name}:latest", "modified_at": "2026-01-01T00:00:00Z", "size": 1000,
             "digest": "0" * 64, "details": details} for name in MODELS
        ]}
    return {"object": "list", "data": [{"id": name, "object": "model", "created": 1, "owned_by": "script"} for name in MODELS]}


def told_of(model):
    if model not in MODELS:
        return 404, {"error": f"model '{model}' not found"}
    return 200, {
        "details": {"format": "gguf", "family": "llama", "families": ["llama"], "parameter_size": "1B", "quantization_level": "Q4_0"},
        "model_info": {"general.architecture": "llama", "llama.context_length": 4096},
        "capabilities": ["completion", "tools"], "modified_at": "2026-01-01T00:00:00Z",
    }


async def embeddings(prefix, model, body, answer):
    values = body.get("input", [])
    count = 1 if isinstance(values, str) or (values and isinstance(values[0], int)) else len(values)
    if prefix == "ollama":
        await answer.whole(200, {"model": model, "embeddings": [VECTOR] * count, "total_duration": 1, "prompt_eval_count": 5})
        return
    vector = VECTOR
    if body.get("encoding_format") == "base64":
        vector = base64.b64encode(struct.pack(f"<{len(VECTOR)}f", *VECTOR)).decode()
    data = [{"object": "embedding", "index": index, "embedding": vector} for index in range(count)]
    await answer.whole(200, {"object": "list", "data": data, "model": model, "usage": {"prompt_tokens": 5, "total_tokens": 5}})


async def embed_content(_, model, body, answer):
    if "requests" in body:
        await answer.whole(200, {"embeddings": [{"values": VECTOR} for _ in body["requests"]]})
    else:
        await answer.whole(200, {"embedding": {"values": VECTOR}})


async def count_anthropic(_, model, body, answer):
    await answer.whole(200, {"input_tokens": 42})


async def count_gemini(_, model, body, answer):
    await answer.whole(200, {"totalTokens": 42, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 42}]})


async def moderations(_, model, body, answer):
    names = ["harassment", "hate", "self-harm", "sexual", "violence"]
    result = {"flagged": True, "categories": dict.fromkeys(names, False), "category_scores": dict.fromkeys(names, 0.25),
              "category_applied_input_types": {name: ["text"] for name in names}}
    await answer.whole(200, {"id": "modr-1", "model": model, "results": [result]})


async def speech(_, model, body, answer):
    await answer.whole(200, AUDIO, "audio/mpeg")


async def images(_, model, body, answer):
    await answer.whole(200, {"created": 1, "data": [{"b64_json": IMAGE}], "usage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7,
                             "input_tokens_details": {"text_tokens": 3, "image_tokens": 0}}})


async def rerank(_, model, body, answer):
    results = [{"index": at, "relevance_score": 1 - at / 10} for at in range(len(body["documents"]))]
    await answer.whole(200, {"id": "rr-1", "model": model, "results": results})


async def show(_, model, body, answer):
    await answer.whole(200, {
        "modelfile": "FROM x", "parameters": "num_ctx 4096", "template": "{{ .Prompt }}", "capabilities": ["completion", "tools"],
        "details": {"format": "gguf", "family": "llama", "families": ["llama"], "parameter_size": "1B", "quantization_level": "Q4_0"},
        "model_info": {"general.architecture": "llama", "llama.context_length": 4096},
    })


BESIDE = {
    "embeddings": embeddings, "embed": embeddings, "embedContent": embed_content, "batchEmbedContents": embed_content,
    "messages/count_tokens": count_anthropic, "countTokens": count_gemini, "moderations": moderations, "audio/speech": speech,
    "images/generations": images, "rerank": rerank, "show": show,
}


async def multipart(path, body, answer):
    """Says back what it understood of a form."""
    model = re.search(rb'name="model"\r\n(?:[^\r]+\r\n)*\r\n([^\r]+)', body)
    if path == "images/edits":
        await images(None, None, None, answer)
        return
    size = len(body) if AUDIO in body else 0
    await answer.whole(200, {"text": f"heard {model and model[1].decode()}, {'all of it' if size else 'not all'}",
                             "usage": {"type": "duration", "seconds": 2}})


async def main():
    vendors = Vendors()
    port = await vendors.start(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    print(json.dumps({"port": port}), flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
