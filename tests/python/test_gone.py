"""Clients that hang up: the vendor is let go at once, and the call is settled."""

import json
import re
import socket
import time

import pytest

from support import by_operation, eventually

ASKS = {
    "openai-chat": ("/v1/chat/completions", lambda model, stream: {"model": model, "stream": stream, "messages": [{"role": "user", "content": "hi"}]}),
    "openai-responses": ("/v1/responses", lambda model, stream: {"model": model, "stream": stream, "input": "hi"}),
    "anthropic": ("/v1/messages", lambda model, stream: {"model": model, "stream": stream, "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}),
    "ollama": ("/api/chat", lambda model, stream: {"model": model, "stream": stream, "messages": [{"role": "user", "content": "hi"}]}),
    "gemini": (None, lambda model, stream: {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}),
}


def open_call(server, client, model, stream):
    """A call whose answer has begun, if it streams, on a bare socket."""
    path, body = ASKS[client]
    path = path or f"/v1beta/models/{model}:" + ("streamGenerateContent?alt=sse" if stream else "generateContent")
    payload = json.dumps(body(model, stream)).encode()
    host, port = server.url.removeprefix("http://").split(":")
    sock = socket.create_connection((host, int(port)), timeout=20)
    sock.sendall(f"POST {path} HTTP/1.1\r\nhost: {host}:{port}\r\ncontent-type: application/json\r\ncontent-length: {len(payload)}\r\n\r\n".encode() + payload)
    seen = b""
    while stream and b"word" not in seen:
        more = sock.recv(65536)
        assert more, f"the answer ended: {seen!r}"
        seen += more
    return sock, seen


def running_call(vendors):
    return eventually(lambda: next((one for one in vendors.requests() if one["outcome"] != "finished"), None), what="the call at the vendor")


@pytest.mark.parametrize("provider", ["openai", "responses", "anthropic", "gemini", "ollama"])
@pytest.mark.parametrize("client", ASKS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_vendor_is_let_go(house, vendors, client, provider, stream):
    sock, seen = open_call(house, client, f"{provider}/forever", stream)
    assert running_call(vendors)["outcome"] == "running"
    left = time.monotonic()
    sock.close()
    [call] = eventually(lambda: [one for one in vendors.requests() if one["outcome"] == "gone"], 5, "the end at the vendor")
    took = call["ended"] - left
    print(f"{client} over {provider}: let go after {took * 1000:.1f} ms")
    # The aim is 100 ms; a loaded machine gets more.
    assert took < 1
    if stream:
        trace_id = re.search(rb"x-hanok-trace-id: ([0-9a-f]{32})", seen)[1].decode()
        trace = house.trace(trace_id, spans=2)
        assert {span["attributes"]["error.type"] for span in trace["spans"]} == {"cancelled"}
        [chat] = by_operation(trace, "chat")
        assert chat["attributes"]["gen_ai.request.model"] == "forever"


def test_most_are_let_go_within_a_tenth_of_a_second(house, vendors):
    took = []
    for _ in range(10):
        vendors.forget()
        sock, _ = open_call(house, "openai-chat", "openai/forever", True)
        left = time.monotonic()
        sock.close()
        [call] = eventually(lambda: [one for one in vendors.requests() if one["outcome"] == "gone"], 5, "the end at the vendor")
        took.append((call["ended"] - left) * 1000)
    took.sort()
    print(f"let go after {took[5]:.1f} ms (median of 10), {took[-1]:.1f} ms at most")
    assert took[5] < 100
