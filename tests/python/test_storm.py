"""Vendors that fail in every way, under load: each call is answered whole, or told plainly that it is not."""

import asyncio
import collections
import json
import os
import random
import time

import httpx
import pytest

from support import VENDORS, all_vendors, free_port, running

CALLERS = 64
CALLS_EACH = 2
# No call takes longer than this, whatever goes wrong.
LONGEST = 30.0
KINDS = ["429", "500", "503", "close", "stall-head", "stall-mid", "cut", "cut-clean", "bad-json", "html", "drip"]
# What shows itself only after the first words are with the client.
MIDWAY = {"stall-mid", "cut", "cut-clean", "bad-json"}


def config(vendors):
    refused = f'[providers.refused]\ndialect = "openai-chat"\nbase_url = "http://127.0.0.1:{free_port()}/v1"\n'
    models = []
    for kind in [*KINDS, "huge"]:
        for name in ("openai", "anthropic", "gemini"):
            other = "anthropic" if name == "openai" else "openai"
            models.append(f'[models."{name}-{kind}"]\ntargets = ["{name}/flaky-{kind}", "{other}/echo"]\n')
            models.append(f'[models."{name}-{kind}-alone"]\ntargets = ["{name}/flaky-{kind}"]\nretries = 1\n')
            models.append(f'[models."{name}-{kind}-third"]\ntargets = ["refused/x", "{name}/flaky-{kind}", "{other}/echo"]\n')
    # Long enough for vendors and callers that share two cores with everything else.
    patience = "connect_timeout = 2.0\nresponse_timeout = 2.0\nidle_timeout = 2.0\n"
    return all_vendors(vendors, VENDORS, patience) + refused + "\n".join(models)


@pytest.fixture(scope="module")
def stormy(all_day_vendors, tmp_path_factory):
    with running(tmp_path_factory.mktemp("storm"), config(all_day_vendors)) as server:
        yield server


class OpenAiChat:
    path, headers = "/v1/chat/completions", {}

    @staticmethod
    def body(model, text, stream):
        return {"model": model, "messages": [{"role": "user", "content": text}], "stream": stream}

    @staticmethod
    def whole(answer):
        [choice] = answer["choices"]
        assert choice["finish_reason"] == "stop"
        return choice["message"]["content"]

    @staticmethod
    def told(error):
        assert isinstance(error["error"]["message"], str) and error["error"]["message"] and isinstance(error["error"]["type"], str)

    @staticmethod
    def streamed(events):
        """The text, and whether it says that it is whole, or that it is not."""
        text, finish, error, done = "", None, None, False
        for _, data in events:
            assert not error, "something came behind the error"
            if data == "[DONE]":
                done = True
                continue
            payload = json.loads(data)
            if "error" in payload:
                error = payload
                continue
            for choice in payload["choices"]:
                text += choice["delta"].get("content") or ""
                finish = choice.get("finish_reason") or finish
        assert not (error and finish), "an answer both whole and broken"
        return text, finish == "stop" and done, error


class Anthropic:
    path, headers = "/v1/messages", {"anthropic-version": "2023-06-01"}

    @staticmethod
    def body(model, text, stream):
        return {"model": model, "max_tokens": 1000, "messages": [{"role": "user", "content": text}], "stream": stream}

    @staticmethod
    def whole(answer):
        assert answer["stop_reason"] == "end_turn"
        return "".join(block["text"] for block in answer["content"])

    @staticmethod
    def told(error):
        assert error["type"] == "error" and error["error"]["type"] and error["error"]["message"]

    @staticmethod
    def streamed(events):
        text, whole, error = "", False, None
        for name, data in events:
            payload = json.loads(data)
            assert payload["type"] == name
            assert not error and not whole, "something came behind the end"
            if name == "content_block_delta":
                text += payload["delta"]["text"]
            elif name == "message_stop":
                whole = True
            elif name == "error":
                error = payload
        return text, whole, error


def events_of(body):
    """The events of a stream of server-sent events, each whole."""
    assert not body or body.endswith("\n\n"), f"the stream ends within an event: {body[-80:]!r}"
    for block in body.split("\n\n"):
        lines = [line for line in block.split("\n") if line and not line.startswith(":")]
        fields = dict(line.split(": ", 1) for line in lines)
        if "data" in fields:
            yield fields.get("event"), fields["data"]


async def one_call(client, url, dialect, model, text, stream):
    """What became of a call: answered, or refused. Anything else fails."""
    began = time.monotonic()
    response = await client.post(url + dialect.path, json=dialect.body(model, text, stream), headers=dialect.headers)
    took = time.monotonic() - began
    assert took < LONGEST, f"{model} took {took:.1f} s"
    if response.status_code != 200:
        dialect.told(response.json())
        return "refused"
    if not stream:
        assert dialect.whole(response.json()) == text
        return "answered"
    said, whole, error = dialect.streamed(list(events_of(response.text)))
    if error:
        dialect.told(error)
        assert text.startswith(said), "what came before the error is not what was said"
        return "broken off"
    assert whole, f"{model}: cut short in silence behind {said[-40:]!r}"
    assert said == text, f"{model}: looks whole and is not"
    return "answered"


async def storm(url, dialect, primary, stream, suffix, seed):
    """Many callers at once, each with faults of its own; gives what became of each kind."""
    chance = random.Random(seed)
    outcomes = collections.defaultdict(collections.Counter)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=CALLERS)

    async def caller(number):
        for turn in range(CALLS_EACH):
            kind = KINDS[(number + turn * 7) % len(KINDS)]
            # Some calls go well in between, so that no breaker stays open for all.
            fault = f"fault={kind}" if chance.random() < 0.7 else "calm"
            text = f"{fault} caller {number} turn {turn}: " + " ".join(f"word{n}" for n in range(60))
            model = f"{primary}-{kind}{suffix}"
            outcome = await asyncio.wait_for(one_call(client, url, dialect, model, text, stream), LONGEST + 5)
            outcomes[kind][outcome] += 1

    async with httpx.AsyncClient(timeout=LONGEST, limits=limits, trust_env=False) as client:
        await asyncio.gather(*(caller(number) for number in range(CALLERS)))
    assert sum(sum(kinds.values()) for kinds in outcomes.values()) == CALLERS * CALLS_EACH
    return outcomes


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    "dialect, primary, suffix",
    [
        (OpenAiChat, "openai", ""), (Anthropic, "anthropic", ""), (OpenAiChat, "gemini", ""), (Anthropic, "openai", ""),
        (OpenAiChat, "anthropic", "-third"), (OpenAiChat, "openai", "-alone"), (Anthropic, "anthropic", "-alone"),
    ],
    ids=["chat-openai", "anthropic-anthropic", "chat-gemini", "anthropic-openai", "three targets", "chat alone", "anthropic alone"],
)
def test_storm(stormy, dialect, primary, suffix, stream):
    outcomes = asyncio.run(storm(stormy.url, dialect, primary, stream, suffix, seed=7))
    print({kind: dict(counter) for kind, counter in outcomes.items()})
    assert stormy.process.poll() is None
    if suffix == "-alone":
        return
    for kind, counter in outcomes.items():
        # With another target to go to, only what the client had begun to read may be broken off.
        if not stream or kind not in MIDWAY:
            assert set(counter) == {"answered"}, (kind, counter)
        else:
            assert "refused" not in counter, (kind, counter)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("dialect, primary", [(OpenAiChat, "openai"), (Anthropic, "anthropic"), (OpenAiChat, "gemini")])
def test_a_line_without_end(stormy, dialect, primary, stream):
    async def many():
        async with httpx.AsyncClient(timeout=LONGEST, trust_env=False) as client:
            text = "fault=huge " + "x" * 300
            calls = (one_call(client, stormy.url, dialect, f"{primary}-huge", text, stream) for _ in range(4))
            return await asyncio.gather(*calls)

    outcomes = asyncio.run(many())
    assert set(outcomes) <= {"answered", "broken off"}, outcomes
    with open(f"/proc/{stormy.process.pid}/status") as status:
        [peak] = [int(line.split()[1]) for line in status if line.startswith("VmHWM")]
    print(f"peak memory {peak // 1024} MB")
    assert peak < 600_000, f"{peak} kB"


def test_nothing_is_left_behind(stormy):
    """After all that, no connection is kept waiting and a call is answered at once."""
    began = time.monotonic()
    assert stormy.chat("openai/echo", "still here").json["choices"][0]["message"]["content"] == "still here"
    assert time.monotonic() - began < 2
    assert len(os.listdir(f"/proc/{stormy.process.pid}/fd")) < 600
