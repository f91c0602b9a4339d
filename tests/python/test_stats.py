"""Sums over calls, by the API and on the command line."""

import pytest

from support import eventually, hanok, providers, running

PRICED = """
[prices."mock/usage"]
input = 1.0
output = 10.0
cached_input = 0.5
"""


@pytest.fixture(scope="module")
def counted(upstream, tmp_path_factory):
    """A server of this file's own, with three priced calls, four unpriced ones and one that failed."""
    with running(tmp_path_factory.mktemp("stats"), providers(upstream, PRICED)) as server:
        calls = [("mock/usage", "alice")] * 3 + [("mock/echo", "bob")] * 2 + [("fast", None)] * 2 + [("mock/err400", "alice")]
        for model, user in calls:
            body = {"model": model, "messages": [{"role": "user", "content": "hello"}], **({"user": user} if user else {})}
            reply = server.post("/v1/chat/completions", body)
            server.trace(reply.headers["x-hanok-trace-id"])
        yield server


def ask(server, query=""):
    reply = server.get(f"/api/stats{query}")
    assert reply.status == 200, reply.text
    return reply.json


def test_the_total_is_that_of_the_traces(counted):
    total, rows = ask(counted)["total"], counted.traces(limit=100)["traces"]
    assert (total["calls"], total["errors"], total["unpriced"]) == (8, 1, 5)
    for sums, row in [("input_tokens", "input_tokens"), ("output_tokens", "output_tokens"), ("cost_usd", "cost_usd")]:
        assert total[sums] == pytest.approx(sum(each[row] or 0 for each in rows)), sums
    assert total["cost_usd"] > 0
    latency = total["latency_ms"]
    assert 0 < latency["p50"] <= latency["p95"] <= latency["p99"]


@pytest.mark.parametrize("by", ["model", "user", "status", "model,user"])
def test_groups_add_up_to_the_total(counted, by):
    found = ask(counted, f"?by={by}&buckets=6")
    assert found["others"] is None and found["traces_to_come"] == 0
    for sums in ("calls", "errors", "input_tokens", "unpriced"):
        assert sum(group[sums] for group in found["groups"]) == found["total"][sums]
        for group in [*found["groups"], found["total"]]:
            assert sum(bucket[sums] for bucket in group["buckets"]) == group[sums]
    assert all(set(group["by"]) == set(by.split(",")) for group in found["groups"])
    assert 1 <= len(found["total"]["buckets"]) <= 6


def test_what_is_left_out_of_groups_is_among_the_others(counted):
    found = ask(counted, "?by=model&rank=cost&limit=1")
    assert [group["by"]["model"] for group in found["groups"]] == ["usage"]
    assert found["groups"][0]["calls"] + found["others"]["calls"] == found["total"]["calls"]
    assert found["others"]["cost_usd"] == 0


@pytest.mark.parametrize(
    "wanted, calls",
    [("user:alice", 4), ("status:error", 1), ("model:usage", 3), ("-user:alice", 4), ("has:cost", 3), ("user:nobody", 0)],
)
def test_filters_are_those_of_the_list(counted, wanted, calls):
    assert ask(counted, f"?filter={wanted}")["total"]["calls"] == calls


@pytest.mark.parametrize(
    "query, told",
    [("?by=colour", "colour"), ("?by=model,user,tag", "two"), ("?rank=size", "size"), ("?filter=modle:x", "modle"),
     ("?limit=0", "limit"), ("?buckets=x", "buckets")],
)
def test_a_bad_question_is_told(counted, query, told):
    reply = counted.get(f"/api/stats{query}")
    assert reply.status == 400 and told in reply.json["error"]["message"], reply.text


def test_the_command_line_says_the_same(counted):
    stats = lambda *args: hanok("trace", "stats", *args, cwd=counted.folder)
    said = stats("--by", "model", "--rank", "cost", "--json")
    assert said.code == 0, said.err
    assert said.json == ask(counted, "?by=model&rank=cost")
    assert stats("--filter", "user:alice", "--json").json["total"]["calls"] == 4
    assert stats("--since", "1h", "--json").json["total"]["calls"] == 8
    table = stats("--by", "user").out.splitlines()
    assert table[0].split()[:2] == ["user", "calls"] and table[-1].split()[:2] == ["(total)", "8"]
    assert any(line.split()[:2] == ["alice", "4"] for line in table)
    wrong = stats("--by", "colour")
    assert wrong.code == 1 and "colour" in wrong.err


def test_a_removed_trace_is_in_no_sum(upstream, tmp_path):
    with running(tmp_path, providers(upstream)) as server:
        for user in ["alice", "bob"]:
            body = {"model": "fast", "user": user, "messages": [{"role": "user", "content": "hello"}]}
            server.trace(server.post("/v1/chat/completions", body).headers["x-hanok-trace-id"])
        assert server.request("DELETE", "/api/traces?filter=user:alice").status == 200
        found = lambda: [group["by"]["user"] for group in ask(server, "?by=user")["groups"]]
        eventually(lambda: found() == ["bob"], what="the sums without the removed trace")
        assert ask(server)["total"]["calls"] == 1
