"""Every call is a trace: the list, one trace, and what is in it."""

import datetime
import json
import re

import pytest

from support import by_operation, eventually, providers, running

ROW = {
    "trace_id": str,
    "name": str,
    "started_at": str,
    "duration_ms": (int, float),
    "status": str,
    "model": str,
    "provider": str,
    "input_tokens": int,
    "output_tokens": int,
    "cost_usd": (int, float),
    "error": str,
}
# What may be unknown.
NULLABLE = {"model", "provider", "input_tokens", "output_tokens", "cost_usd", "error"}

PRICED = """
[prices."mock/usage"]
input = 1.0
output = 10.0
cached_input = 0.5
"""


@pytest.fixture(scope="module")
def recorded(upstream, tmp_path_factory):
    """A server of this file's own, so that its list holds only what is put there."""
    with running(tmp_path_factory.mktemp("traces"), providers(upstream, PRICED)) as server:
        server.ids = {}
        for model, text in [
            ("mock/echo", "the elephant in the room"),
            ("fast", "by its alias"),
            ("mock/usage", "counted"),
            ("mock/err500", "broken"),
            ("nobody/x", "unknown"),
        ]:
            reply = server.chat(model, text)
            server.ids[model] = reply.headers["x-hanok-trace-id"]
            server.trace(server.ids[model])
        yield server


def check_time(text):
    # RFC 3339, which Python's own parser takes but for the `Z` before 3.11.
    time = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    assert time.tzinfo is not None
    assert abs((datetime.datetime.now(datetime.timezone.utc) - time).total_seconds()) < 600


def test_the_list_has_its_shape(recorded):
    page = recorded.traces(limit=50)
    assert set(page) >= {"traces", "next"}
    assert page["next"] is None
    assert {row["trace_id"] for row in page["traces"]} == set(recorded.ids.values())
    for row in page["traces"]:
        assert set(row) >= set(ROW)
        for name, kind in ROW.items():
            value = row[name]
            assert isinstance(value, kind) or (value is None and name in NULLABLE), (name, value)
        assert row["status"] in ("ok", "error")
        assert re.fullmatch("[0-9a-f]{32}", row["trace_id"])
        check_time(row["started_at"])
    starts = [row["started_at"] for row in page["traces"]]
    assert starts == sorted(starts, reverse=True), "the newest is not first"


def row_of(server, model):
    return next(row for row in server.traces(limit=50)["traces"] if row["trace_id"] == server.ids[model])


def test_a_row_says_what_happened(recorded):
    row = row_of(recorded, "mock/echo")
    assert row["status"] == "ok" and row["error"] is None
    assert "echo" in row["model"] and row["provider"] == "mock"
    assert (row["input_tokens"], row["output_tokens"]) == (11, 3)
    assert row["cost_usd"] is None, "a model without a price is not free"
    assert row["duration_ms"] > 0


def test_a_priced_model_costs_what_it_costs(recorded):
    # 36 fresh input tokens at 1.0, 64 cached at 0.5, 20 out at 10.0, each per million.
    assert row_of(recorded, "mock/usage")["cost_usd"] == pytest.approx((36 * 1.0 + 64 * 0.5 + 20 * 10.0) / 1e6, rel=1e-9)


def test_an_error_is_told_in_the_row(recorded):
    for model in ("mock/err500", "nobody/x"):
        row = row_of(recorded, model)
        assert row["status"] == "error" and row["error"]


@pytest.mark.parametrize(
    "query, expect",
    [
        ("status:error", {"mock/err500", "nobody/x"}),
        ("status:ok", {"mock/echo", "fast", "mock/usage"}),
        ("model:usage", {"mock/usage"}),
        ("model:us*", {"mock/usage"}),
        ("model:mock/usage", {"mock/usage"}),
        ("model:mock/*", {"mock/echo", "mock/usage", "mock/err500"}),
        ("since:1h", {"mock/echo", "fast", "mock/usage", "mock/err500", "nobody/x"}),
        ("model:usage status:error", set()),
        ("elephant", {"mock/echo"}),
        ('"elephant in"', {"mock/echo"}),
        ("elephant status:ok since:7d", {"mock/echo"}),
        ("giraffe", set()),
    ],
)
def test_the_filter(recorded, query, expect):
    rows = recorded.traces(filter=query)["traces"]
    names = {trace_id: model for model, trace_id in recorded.ids.items()}
    assert {names[row["trace_id"]] for row in rows} == expect


@pytest.mark.parametrize("query", ["status:purple", "since:yesterdayish", 'since:-3d'])
def test_a_bad_filter_is_told(recorded, query):
    reply = recorded.get("/api/traces?filter=" + query)
    assert reply.status == 400
    assert reply.json["error"]["message"]


@pytest.mark.parametrize("query", ["%", "_", "'; drop table spans; --", '"', "a:b:c", "\\", "NOT", "(((", "\u0000"])
def test_a_filter_cannot_break_anything(recorded, query):
    import urllib.parse

    reply = recorded.get("/api/traces?" + urllib.parse.urlencode({"filter": query}))
    assert reply.status in (200, 400), reply.text
    assert len(recorded.traces(limit=50)["traces"]) == len(recorded.ids)


def test_pages_follow_each_other(recorded):
    seen, cursor = [], None
    for _ in range(10):
        page = recorded.traces(limit=2, **({"cursor": cursor} if cursor else {}))
        assert len(page["traces"]) <= 2
        seen += [row["trace_id"] for row in page["traces"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert sorted(seen) == sorted(recorded.ids.values())


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=many", "cursor=nonsense"])
def test_a_bad_page_is_told(recorded, query):
    assert recorded.get(f"/api/traces?{query}").status in (200, 400)


def test_one_trace_has_its_shape(recorded):
    trace = recorded.trace(recorded.ids["mock/usage"], spans=2)
    assert trace["trace_id"] == recorded.ids["mock/usage"]
    spans = trace["spans"]
    ids = {span["span_id"] for span in spans}
    assert len(ids) == len(spans)
    assert [span["parent_id"] for span in spans].count(None) == 1
    for span in spans:
        assert set(span) >= {"span_id", "parent_id", "name", "started_at", "duration_ms", "status", "attributes"}
        assert re.fullmatch("[0-9a-f]{16}", span["span_id"])
        assert span["parent_id"] is None or span["parent_id"] in ids
        assert span["status"] in ("ok", "error")
        assert isinstance(span["attributes"], dict)
        check_time(span["started_at"])


def test_the_provider_span_carries_opentelemetrys_names(recorded):
    trace = recorded.trace(recorded.ids["mock/usage"], spans=2)
    [span] = by_operation(trace, "chat")
    assert span["name"] == "chat usage"
    attributes = span["attributes"]
    assert attributes["gen_ai.request.model"] == "usage"
    assert attributes["gen_ai.response.model"] == "usage"
    assert attributes["gen_ai.provider.name"] == "mock"
    assert attributes["gen_ai.usage.input_tokens"] == 100
    assert attributes["gen_ai.usage.output_tokens"] == 20
    assert attributes["gen_ai.usage.cache_read.input_tokens"] == 64
    assert attributes["gen_ai.usage.reasoning.output_tokens"] == 7
    assert attributes["gen_ai.response.finish_reasons"] == ["stop"]
    assert attributes["gen_ai.response.id"] == "chatcmpl-up"


def test_messages_are_kept(recorded):
    trace = json.dumps(recorded.trace(recorded.ids["mock/echo"], spans=2), ensure_ascii=False)
    assert trace.count("the elephant in the room") >= 2, "question and answer"


def test_time_to_first_token_of_a_stream(recorded):
    reply = recorded.chat("mock/slow", stream=True)
    trace = recorded.trace(reply.headers["x-hanok-trace-id"], spans=2)
    [span] = by_operation(trace, "chat")
    found = [value for name, value in span["attributes"].items() if "time_to_first" in name]
    assert found, sorted(span["attributes"])
    # 50 ms, in whichever unit; the whole stream takes twenty times that.
    assert 0.03 < (found[0] if found[0] < 2 else found[0] / 1000) < 0.6
    assert span["duration_ms"] > 900


def test_a_streamed_answer_is_kept_as_a_whole_one(recorded):
    reply = recorded.chat("mock/tools", stream=True)
    trace = recorded.trace(reply.headers["x-hanok-trace-id"], spans=2)
    text = json.dumps(trace, ensure_ascii=False)
    assert "get_weather" in text and "Asia/Seoul" in text


def test_live_arrival(recorded):
    """A page that listens hears of a new trace without asking again."""
    import http.client

    host, port = recorded.url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    connection.request("GET", "/api/live?filter=", headers={"accept": "text/event-stream"})
    response = connection.getresponse()
    assert response.status == 200
    assert response.getheader("content-type").startswith("text/event-stream")
    trace_id = recorded.chat("mock/echo", "live").headers["x-hanok-trace-id"]
    heard = ""
    while trace_id not in heard:
        line = response.readline().decode()
        assert line, "the stream ended"
        heard += line
    connection.close()


def test_many_at_once_are_each_kept_once(upstream, tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    with running(tmp_path, providers(upstream)) as server:
        with ThreadPoolExecutor(32) as pool:
            replies = list(pool.map(lambda n: server.chat("fast", f"call {n}", stream=bool(n % 2)), range(300)))
        assert {reply.status for reply in replies} == {200}
        ids = sorted(reply.headers["x-hanok-trace-id"] for reply in replies)
        assert len(set(ids)) == 300

        def kept():
            seen, cursor = [], None
            while True:
                page = server.traces(limit=100, **({"cursor": cursor} if cursor else {}))
                seen += [row["trace_id"] for row in page["traces"]]
                cursor = page["next"]
                if cursor is None:
                    return sorted(seen) == ids

        eventually(kept, what="300 traces, each once")
