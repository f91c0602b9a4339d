"""Virtual keys: made and revoked by command, what they may, and money that is never overspent."""

import asyncio
import concurrent.futures
import datetime
import json
import random
import re
import threading
import urllib.parse
from decimal import Decimal

import anthropic
import httpx
import openai
import pytest
from google import genai
from google.genai import types as gt

from clients import Anthropic, Chat, Gemini, Ollama, Responses
from support import Hanok, all_vendors, eventually, hanok, running

CALLERS = 64
# US dollars per million tokens. An echo says 11 tokens in and 7 out: 0.02111 dollars.
PRICES = """
[prices."*/priced"]
input = 10
output = 3000

[prices."*/slow"]
input = 10
output = 3000

[[keys]]
name = "root"
key = "env:ROOT_KEY"
"""
COST = 11 * 10_000 + 7 * 3_000_000  # nano-dollars
ROOT = {"ROOT_KEY": "sk-root-0001"}
ADMIN = {"authorization": "Bearer sk-root-0001"}
# 5 tokens more than the answer has.
MOST = 12


def config(vendors):
    return all_vendors(vendors, ["openai", "anthropic", "gemini"]) + PRICES


@pytest.fixture(scope="module")
def locked(all_day_vendors, tmp_path_factory):
    with running(tmp_path_factory.mktemp("locked"), config(all_day_vendors), env=ROOT) as server:
        yield server


class Cli:
    """`hanok keys`, beside a server or alone."""

    def __init__(self, folder):
        self.folder = folder

    def run(self, *arguments, code=0):
        ran = hanok("keys", *arguments, "--json", cwd=self.folder, env=ROOT)
        assert ran.code == code, ran.err
        return ran.json if code == 0 else ran.err

    def create(self, name, *arguments):
        return self.run("create", name, *arguments)

    def list(self):
        return {key["id"]: key for key in self.run("ls")["keys"]}

    def of(self, key):
        return self.list()[key["id"]]


@pytest.fixture
def cli(locked):
    return Cli(locked.folder)


def bearer(key):
    return {"authorization": f"Bearer {key['secret']}"}


def call(server, key, model="openai/priced", **more):
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": MOST, **more}
    return server.post("/v1/chat/completions", body, headers=bearer(key))


# -- made, shown, revoked

def test_a_key_is_shown_once(locked, cli):
    key = cli.create("alice", "--project", "web", "--models", "openai/*,fast", "--budget", "1", "--period", "day",
                     "--requests-per-minute", "60", "--tokens-per-minute", "10000", "--concurrent", "4", "--expires", "7d")
    assert len(key["secret"]) > 20 and key["name"] == "alice" and key["project"] == "web"
    listed = cli.of(key)
    assert "secret" not in listed and key["secret"] not in json.dumps(listed)
    assert (listed["models"], listed["concurrent"], listed["requests_per_minute"], listed["tokens_per_minute"]) == (
        ["openai/*", "fast"], 4, 60, 10000
    )
    assert listed["budgets"][0]["limit_usd"] == 1 and listed["budgets"][0]["period"] == "day"
    assert listed["state"] == "active" and listed["expires"] > listed["created"]
    for file in locked.data.iterdir():
        if file.is_file():
            assert key["secret"].encode() not in file.read_bytes(), f"{file} holds the secret"


def test_every_client_comes_in_with_it(locked, cli):
    key = cli.create("everybody")
    for kind in (Chat, Responses, Anthropic, Gemini, Ollama):
        assert kind(locked.url, key=key["secret"]).ask("openai/echo", "안녕").text == "안녕"
        with pytest.raises(Exception) as raised:
            kind(locked.url, key="hk-wrong").ask("openai/echo", "x")
        assert kind.fault(kind(locked.url), raised.value)[0] == 401
    assert locked.post(f"/v1beta/models/openai/echo:generateContent?key={key['secret']}",
                       {"contents": [{"parts": [{"text": "hi"}]}]}).status == 200
    with pytest.raises(openai.AuthenticationError):
        Chat(locked.url, key="hk-wrong").ask("openai/echo", "x")
    with pytest.raises(anthropic.AuthenticationError):
        Anthropic(locked.url, key="hk-wrong").ask("openai/echo", "x")


def test_a_revoked_key_stops_at_once(locked, cli):
    one, two = cli.create("twin"), cli.create("twin")
    assert call(locked, one).status == call(locked, two).status == 200
    assert "twin" in cli.run("revoke", "twin", code=1), "a name that two keys have says so"
    cli.run("revoke", one["id"])
    assert call(locked, one).status == 401
    assert call(locked, two).status == 200
    assert cli.of(one)["state"] == "revoked"
    cli.run("revoke", "twin")
    assert call(locked, two).status == 401


def test_an_expired_key_stops(locked, cli):
    key = cli.create("brief", "--expires", "1s")
    reply = eventually(lambda: (r := call(locked, key)).status == 401 and r, 5, "the end of the key")
    assert reply.json["error"]["code"] == "expired_api_key"
    assert cli.of(key)["state"] == "expired"


def test_keys_made_without_a_server_hold_with_one(all_day_vendors, tmp_path):
    (tmp_path / "hanok.toml").write_text(config(all_day_vendors))
    cli = Cli(tmp_path)
    key = cli.create("early")
    with running(tmp_path, env=ROOT) as server:
        assert call(server, key).status == 200
        cli.run("revoke", "early")
        assert call(server, key).status == 401
    assert cli.of(key)["state"] == "revoked"


# -- what a key may

def test_models_of_a_key(locked, cli):
    key = cli.create("scoped", "--models", "openai/*,gemini/echo")
    assert call(locked, key).status == 200
    for model in ("anthropic/priced", "gemini/priced"):
        reply = call(locked, key, model)
        assert reply.status == 403 and model in reply.json["error"]["message"]
    ids = {model["id"] for model in locked.get("/v1/models", headers=bearer(key)).json["data"]}
    assert "openai/echo" in ids and "gemini/echo" in ids and not any(name.startswith("anthropic/") for name in ids)
    with pytest.raises(anthropic.PermissionDeniedError):
        Anthropic(locked.url, key=key["secret"]).ask("anthropic/echo", "x")


def test_requests_a_minute(locked, cli):
    key = cli.create("slow", "--requests-per-minute", "5")
    replies = [call(locked, key) for _ in range(7)]
    assert [reply.status for reply in replies[:5]] == [200] * 5
    assert replies[5].status == 429
    assert 1 <= int(replies[5].headers["retry-after"]) <= 60
    assert replies[0].headers["x-ratelimit-limit-requests"] == "5"
    assert int(replies[0].headers["x-ratelimit-remaining-requests"]) == 4
    assert replies[5].headers["x-ratelimit-remaining-requests"] == "0", "a refusal tells, too"
    assert re.fullmatch(r"(\d+m)?[\d.]+m?s", replies[5].headers["x-ratelimit-reset-requests"])
    with pytest.raises(anthropic.RateLimitError) as refused:
        Anthropic(locked.url, key=key["secret"]).ask("anthropic/echo", "x")
    headers = refused.value.response.headers
    assert headers["anthropic-ratelimit-requests-limit"] == "5"
    assert headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert datetime.datetime.fromisoformat(headers["anthropic-ratelimit-requests-reset"])
    with pytest.raises(openai.RateLimitError):
        Chat(locked.url, key=key["secret"]).ask("openai/echo", "x")


def test_tokens_a_minute(locked, cli):
    key = cli.create("short", "--tokens-per-minute", "200")
    statuses = [call(locked, key).status for _ in range(40)]
    assert statuses[0] == 200 and statuses[-1] == 429
    # 18 tokens a call.
    assert statuses.count(200) <= 13


def test_calls_at_once(locked, cli, vendors):
    key = cli.create("narrow", "--concurrent", "3")

    def one(_):
        return call(locked, key, "openai/slow", stream=True)

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        replies = list(pool.map(one, range(12)))
    statuses = [reply.status for reply in replies]
    assert set(statuses) == {200, 429} and statuses.count(200) >= 3
    assert most_at_once([(one["began"], one["ended"]) for one in vendors.requests()]) <= 3
    # The seats are given back.
    assert call(locked, key).status == 200


def most_at_once(spans):
    edges = sorted([(began, 1) for began, _ in spans] + [(ended, -1) for _, ended in spans])
    most = now = 0
    for _, step in edges:
        now += step
        most = max(most, now)
    return most


def test_a_project_sees_its_own_only(locked, cli):
    ours, theirs = cli.create("ours", "--project", "seoul"), cli.create("theirs", "--project", "busan")
    reply = call(locked, ours)
    trace_id = reply.headers["x-hanok-trace-id"]
    eventually(lambda: locked.get(f"/api/traces/{trace_id}", headers=ADMIN).status == 200, what="the trace")
    assert locked.get(f"/api/traces/{trace_id}", headers=bearer(ours)).status == 200
    assert locked.get(f"/api/traces/{trace_id}", headers=bearer(theirs)).status == 404
    listed = locked.get("/api/traces?limit=200", headers=bearer(theirs)).json["traces"]
    assert trace_id not in {trace["trace_id"] for trace in listed}
    made = Responses(locked.url, key=ours["secret"]).sdk.responses.create(model="openai/echo", input="mine")
    assert Responses(locked.url, key=ours["secret"]).sdk.responses.retrieve(made.id).id == made.id
    stranger = Responses(locked.url, key=theirs["secret"]).sdk.responses
    for act in (stranger.retrieve, stranger.delete):
        with pytest.raises(openai.NotFoundError):
            act(made.id)
    with pytest.raises(openai.APIStatusError):
        stranger.create(model="openai/echo", input="and?", previous_response_id=made.id)
    for path in ("/api/keys",):
        assert locked.request("POST", path, {"name": "more"}, headers=bearer(ours)).status == 403
    assert locked.get("/metrics", headers=bearer(ours)).status == 403


# -- money

def cents(nano):
    return Decimal(nano) / 10**9


def spent(key):
    [budget] = key["budgets"]
    return budget["spent_nano"]


def costs_of_traces(server, name):
    """The sum of what this key's traces cost, in nano-dollars."""
    total, calls, cursor = 0, 0, None
    while True:
        query = {"limit": 200, "filter": f"key:{name}", **({"cursor": cursor} if cursor else {})}
        reply = server.get("/api/traces?" + urllib.parse.urlencode(query), headers=ADMIN)
        assert reply.status == 200, reply.text
        page = json.loads(reply.body, parse_float=Decimal)
        for trace in page["traces"]:
            if trace["cost_usd"] is not None:
                total += int(trace["cost_usd"] * 10**9)
                calls += 1
        cursor = page.get("next")
        if not cursor:
            return total, calls


def priced_answers(vendors):
    return sum(one["outcome"] == "finished" for one in vendors.requests())


def spend_the_rest(server, key, stream=False):
    """With nobody beside, what is left is spent to the last call that fits."""
    def spent_out():
        reply = call(server, key, stream=stream)
        assert reply.status in (200, 402), reply.text
        # What others hold for a moment is worth another try, and says so.
        return reply.status == 402 and "retry-after" not in reply.headers

    eventually(spent_out, 30, "the end of the budget")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_budget_is_not_overspent_and_is_spent(locked, cli, vendors, stream):
    key = cli.create(f"frugal-{stream}", "--budget", "1", "--period", "day")

    async def caller(client):
        statuses = []
        while True:
            body = {"model": "openai/priced", "messages": [{"role": "user", "content": "hi"}], "max_tokens": MOST, "stream": stream}
            reply = await client.post(f"{locked.url}/v1/chat/completions", json=body, headers=bearer(key))
            statuses.append(reply.status_code)
            if reply.status_code != 200:
                assert reply.json()["error"]["code"] in ("budget_spent", "insufficient_quota"), reply.text
                return statuses

    async def everybody():
        async with httpx.AsyncClient(timeout=30, trust_env=False, limits=httpx.Limits(max_connections=None)) as client:
            return await asyncio.gather(*(caller(client) for _ in range(CALLERS)))

    asyncio.run(everybody())
    spend_the_rest(locked, key, stream)
    answers = priced_answers(vendors)
    settled = eventually(
        lambda: (found := cli.of(key))["budgets"][0]["reserved_usd"] == 0 and spent(found) == answers * COST and found,
        what=f"a ledger that has the {answers} answers of the vendor, {answers * COST}",
    )
    assert settled["usage"]["spent_nano"] == answers * COST
    assert answers * COST <= 10**9, "more was spent than there was"
    # One call reserves the price of its 12 tokens out, and of no more tokens in than it has bytes; twice that, since a
    # vendor may answer in a dearer tier.
    reserved = 2 * (MOST * 3_000_000 + 400 * 10_000)
    assert 10**9 - answers * COST < reserved, f"only {answers} calls were let through"
    total, calls = eventually(
        lambda: (found := costs_of_traces(locked, key["name"]))[1] >= answers and found, what="every trace"
    )
    assert (total, calls) == (answers * COST, answers), "ledger and traces agree to the nano-dollar"


def test_a_call_without_a_limit_gets_one(locked, cli, vendors):
    key = cli.create("limitless", "--budget", "100", "--max-output-tokens", "50")
    body = {"model": "openai/priced", "messages": [{"role": "user", "content": "hi"}]}
    assert locked.post("/v1/chat/completions", body, headers=bearer(key)).status == 200
    [sent] = [json.loads(request["body"]) for request in vendors.requests()]
    assert 50 in (sent.get("max_tokens"), sent.get("max_completion_tokens"))


def test_who_hangs_up_still_pays(locked, cli, vendors):
    key = cli.create("leaver", "--budget", "10")
    with httpx.Client(trust_env=False, timeout=20) as client:
        body = {"model": "openai/slow", "messages": [{"role": "user", "content": "word " * 60}], "max_tokens": 100, "stream": True}
        with client.stream("POST", f"{locked.url}/v1/chat/completions", json=body, headers=bearer(key)) as reply:
            assert reply.status_code == 200
            next(reply.iter_bytes())
    settled = eventually(
        lambda: (found := cli.of(key))["budgets"][0]["reserved_usd"] == 0 and found["usage"]["calls"] == 1 and found, what="the settlement"
    )
    assert settled["usage"]["calls"] == 1


def test_a_refused_call_costs_nothing(locked, cli, vendors):
    key = cli.create("unlucky", "--budget", "10")
    for model in ("openai/err-400", "openai/err-500", "nobody/x"):
        assert call(locked, key, model).status >= 400
    settled = eventually(lambda: (found := cli.of(key))["budgets"][0]["reserved_usd"] == 0 and found, what="the settlement")
    assert spent(settled) == 0


def test_other_dialects_pay_alike(locked, cli, vendors):
    key = cli.create("polyglot", "--budget", "10")
    Anthropic(locked.url, key=key["secret"]).ask("anthropic/priced", "x", most=20, stream=True)
    Gemini(locked.url, key=key["secret"]).ask("gemini/priced", "x", most=20)
    Anthropic(locked.url, key=key["secret"]).ask("openai/priced", "x", most=20, stream=True)
    Responses(locked.url, key=key["secret"]).ask("gemini/priced", "x", most=20, stream=True)
    settled = eventually(lambda: (found := cli.of(key))["budgets"][0]["reserved_usd"] == 0 and found, what="the settlement")
    assert spent(settled) == 4 * COST


def test_a_spent_budget_in_each_dialect(locked, cli):
    key = cli.create("poor", "--budget", "0.001")
    for kind in (Chat, Responses, Anthropic, Gemini, Ollama):
        client = kind(locked.url, key=key["secret"])
        with pytest.raises(Exception) as raised:
            client.ask("openai/priced", "x", most=20)
        status, message = client.fault(raised.value)
        assert status in (402, 429) and "budget" in message


def test_kills_at_random_overspend_nothing(all_day_vendors, vendors, tmp_path):
    """64 callers on a small budget while the server is killed and started again."""
    chance = random.Random(4141)
    (tmp_path / "hanok.toml").write_text(config(all_day_vendors))
    cli = Cli(tmp_path)
    key = cli.create("survivor", "--budget", "4", "--period", "total")
    server = Hanok(tmp_path, env=ROOT)
    stop, answered, lock = threading.Event(), [0], threading.Lock()

    def caller(number):
        with httpx.Client(trust_env=False, timeout=20) as client:
            while not stop.is_set():
                body = {"model": "openai/priced", "messages": [{"role": "user", "content": f"hi {number}"}], "max_tokens": MOST,
                        "stream": number % 2 == 0}
                try:
                    reply = client.post(f"{server.url}/v1/chat/completions", json=body, headers=bearer(key))
                except httpx.HTTPError:
                    stop.wait(0.02)
                    continue
                if reply.status_code == 200:
                    with lock:
                        answered[0] += 1
                elif reply.status_code == 402:
                    stop.wait(0.05)

    server.start()
    bind = server.url.removeprefix("http://")
    server.bind = bind
    threads = [threading.Thread(target=caller, args=(number,)) for number in range(CALLERS)]
    for thread in threads:
        thread.start()
    kills = 0
    try:
        for _ in range(4):
            stop.wait(chance.uniform(0.15, 0.7))
            server.kill()
            kills += 1
            server.start()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    try:
        spend_the_rest(server, key)
        settled = eventually(lambda: (found := cli.of(key))["budgets"][0]["reserved_usd"] == 0 and found, what="the settlement")
        [budget] = settled["budgets"]
        finished = priced_answers(vendors)
        print(f"{kills} kills, {finished} answers by the vendor, {answered[0]} seen by callers; spent {cents(budget['spent_nano'])} $, "
              f"written off {budget['written_off_usd']} $")
        assert finished * COST <= 4 * 10**9, "more was spent than there was"
        assert answered[0] * COST <= 4 * 10**9
        # The ledger is the traces, and what no trace tells is counted as spent.
        total, _ = eventually(lambda: (found := costs_of_traces(server, "survivor"))[0] >= budget["spent_nano"] and found,
                              what=f"traces of {budget['spent_nano']}")
        assert total == budget["spent_nano"]
        assert budget["spent_nano"] + round(budget["written_off_usd"] * 10**9) <= 4 * 10**9
        assert budget["spent_nano"] + round(budget["written_off_usd"] * 10**9) >= finished * COST
        # A person may give back what the crashes left open.
        cli.run("reconcile", "survivor")
        after = cli.of(key)["budgets"][0]
        assert after["written_off_usd"] == 0 and after["spent_nano"] == budget["spent_nano"]
    finally:
        server.stop()
    # Nothing of it depends on the server that ran.
    assert spent(cli.of(key)) == budget["spent_nano"]


def test_limits_hold_for_all_dialects_together(locked, cli):
    key = cli.create("shared", "--requests-per-minute", "3")
    Chat(locked.url, key=key["secret"]).ask("openai/echo", "1")
    Anthropic(locked.url, key=key["secret"]).ask("openai/echo", "2")
    Ollama(locked.url, key=key["secret"]).ask("openai/echo", "3")
    sdk = genai.Client(api_key=key["secret"], http_options=gt.HttpOptions(base_url=locked.url))
    with pytest.raises(genai.errors.APIError) as raised:
        sdk.models.generate_content(model="openai/echo", contents="4")
    assert raised.value.code == 429 and raised.value.status == "RESOURCE_EXHAUSTED"
