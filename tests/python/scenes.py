"""What the scripted models say, in no dialect: `dialects.py` writes it in each. The model's name picks the scene."""

import itertools
import json
from dataclasses import dataclass, field, replace

NUMBERS = itertools.count(1)


@dataclass
class Text:
    text: str


@dataclass
class Thought:
    text: str
    # Base64, since Gemini's clients decode it.
    signature: str


@dataclass
class Call:
    id: str
    name: str
    arguments: dict
    signature: str | None = None


@dataclass
class Refusal:
    text: str


@dataclass
class Usage:
    """As OpenAI counts: cached tokens within input, reasoning within output."""

    input: int = 11
    output: int = 7
    cached: int = 0
    reasoning: int = 0


@dataclass
class Scene:
    parts: list
    # stop, length, tool or refusal
    finish: str = "stop"
    usage: Usage = field(default_factory=Usage)
    # What makes the answer's id.
    number: int = 0

    def told(self):
        """The scene as it is told once, under an id of its own."""
        return replace(self, number=next(NUMBERS))

    def of(self, kind):
        return [part for part in self.parts if isinstance(part, kind)]


ANSWER = "두 번 says 2×2 = 4, and \"quotes\" stay.\nA second line — with 🏠."
THOUGHT = Thought("Let me look at the sky first.", "c2lnbmVkLWJ5LXRoZS11cHN0cmVhbS8x")
WEATHER = Call("call_weather1", "get_weather", {"city": "서울", "unit": "C", "days": 3})
TIME = Call("call_time2", "get_time", {"zone": "Asia/Seoul", "deep": {"list": [1, 2.5, None, True]}})
SIGNED = Call("call_weather1", "get_weather", {"city": "서울", "unit": "C", "days": 3}, "Z2VtaW5pLWNhbGwtc2lnbmF0dXJl")
STRUCTURED = {"name": "한옥", "rooms": 3, "heated": True}
REFUSED = "I cannot help with that."
COUNTED = Usage(input=100, output=20, cached=64, reasoning=7)

SCENES = {
    "text": Scene([Text(ANSWER)]),
    "tool": Scene([WEATHER], "tool"),
    "tools": Scene([Text("Two at once."), WEATHER, TIME], "tool"),
    "think": Scene([THOUGHT, Text(ANSWER)], usage=COUNTED),
    "think-tool": Scene([THOUGHT, SIGNED], "tool", usage=COUNTED),
    "structured": Scene([Text(json.dumps(STRUCTURED, ensure_ascii=False))]),
    "refusal": Scene([Refusal(REFUSED)], "refusal"),
    "usage": Scene([Text("counted")], usage=COUNTED),
    "long": Scene([Text("This ends where the tokens")], "length"),
    "image": Scene([Text("I see one red dot.")]),
}
# Refusals in the dialect's own words: status and what kind it is.
ERRORS = {
    "err-400": (400, "invalid"),
    "err-401": (401, "auth"),
    "err-403": (403, "forbidden"),
    "err-404": (404, "missing"),
    "err-429": (429, "limited"),
    "err-500": (500, "server"),
    "err-503": (503, "overloaded"),
}
MODELS = [*SCENES, *ERRORS, "echo", "priced", "slow", "forever"]


def scene_for(model, asked):
    """The scene of a model for a request, read by `dialects.read`."""
    last = asked["turns"][-1]["parts"] if asked["turns"] else []
    results = [part for part in last if part[0] == "result"]
    if results:
        # The second turn: what the tools said is said again.
        return Scene([Text("tools said: " + "; ".join(text for _, _, text in results))])
    if model in SCENES:
        return SCENES[model]
    return Scene([Text(last_text(asked))])


def last_text(asked):
    for turn in reversed(asked["turns"]):
        if turn["role"] == "user":
            return "".join(part[1] for part in turn["parts"] if part[0] == "text")
    return ""


def pieces(text, size=None):
    """A text in pieces as a model streams it; a long one in larger ones, to be kind to the machine."""
    size = size or max(7, len(text) // 12)
    return [text[at : at + size] for at in range(0, len(text), size)] or [""]
