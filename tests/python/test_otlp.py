"""Spans of programs that never went through the gateway: real exporters and instrumentors, and what clients of
OTLP may expect of a server."""

import gzip
import json
import subprocess
import sys

import pytest

from support import HERE, Hanok, by_operation, environment, free_port, providers, running

# What the instrumented programs call their provider; the upstream's models have no price of their own.
PRICED = "\n".join(
    f'[prices."openai/{model}"]\ninput = 1.0\noutput = 10.0\ncached_input = 0.5\n' for model in ("usage", "echo", "tools")
)
QUESTION = "환불은 어떻게 하나요?"
START = 1_790_000_000_000_000_000


@pytest.fixture(scope="module")
def house(upstream, tmp_path_factory):
    otlp = f"127.0.0.1:{free_port()}"
    with running(tmp_path_factory.mktemp("otlp"), providers(upstream, PRICED), args=[f"--otlp={otlp}"]) as server:
        server.otlp = f"http://{otlp}"
        yield server


def run_program(kind, endpoint, upstream, *more):
    done = subprocess.run(
        [sys.executable, HERE / "instrumented.py", kind, endpoint, upstream.url, *more],
        env=environment(), capture_output=True, text=True, timeout=120,
    )
    assert done.returncode == 0, done.stderr
    # Exporters log what a server refuses, and go on.
    assert "Failed to export" not in done.stderr, done.stderr
    return json.loads(done.stdout.splitlines()[-1])["trace_id"]


def row_of(server, trace_id):
    return next(row for row in server.traces(limit=200)["traces"] if row["trace_id"] == trace_id)


def texts(messages):
    return [(message["role"], part.get("content")) for message in messages for part in message["parts"]]


def test_spans_of_the_python_sdk(house, upstream):
    trace_id = run_program("sdk", house.otlp, upstream)
    # It is there at once: what was acknowledged is committed.
    trace = house.get(f"/api/traces/{trace_id}").json
    assert [span["name"] for span in trace["spans"]] == ["answer a customer", "chat gpt-5-mini", "execute_tool lookup"]
    root, chat, tool = trace["spans"]
    assert root["parent_id"] is None and chat["parent_id"] == tool["parent_id"] == root["span_id"]
    row = row_of(house, trace_id)
    assert (row["name"], row["status"], row["model"], row["provider"]) == ("answer a customer", "ok", "gpt-5-mini", "openai")
    assert (row["input_tokens"], row["output_tokens"], row["cost_usd"]) == (1000, 100, 0.00045)
    assert (row["session"], row["user"], row["source"]) == ("c-7", "alice", "sdk-shop")
    assert texts(chat["attributes"]["gen_ai.input.messages"]) == [("user", QUESTION)]
    assert texts(chat["attributes"]["gen_ai.output.messages"]) == [("assistant", "7일 안에.")]
    assert chat["attributes"]["shop.floats"] == [0.5, 1.5]
    assert chat["attributes"]["deployment.environment.name"] == "test"
    assert (tool["status"], tool["error"]) == ("error", "no such order")
    assert tool["attributes"]["error.type"] == "ValueError"
    assert tool["attributes"]["hanok.events"][0]["name"] == "exception"


@pytest.mark.parametrize("kind", ["openinference", "traceloop"])
def test_an_instrumented_openai_client(house, upstream, kind):
    # The server's own port takes spans, too.
    trace_id = run_program(kind, house.url if kind == "traceloop" else house.otlp, upstream)
    trace = house.get(f"/api/traces/{trace_id}").json
    chats, embeddings = by_operation(trace, "chat"), by_operation(trace, "embeddings")
    assert (len(chats), len(embeddings)) == (4, 1), [span["name"] for span in trace["spans"]]
    whole, streamed, called, failed = sorted(chats, key=lambda span: span["started_at"])
    for span in chats:
        assert span["attributes"]["gen_ai.provider.name"] == "openai", span
        asked = span["attributes"]["gen_ai.input.messages"]
        assert texts(asked) == [("system", "Be brief."), ("user", QUESTION)]
    said = whole["attributes"]
    assert said["gen_ai.request.model"] == "usage"
    assert said["gen_ai.request.temperature"] == 0.5
    assert (said["gen_ai.usage.input_tokens"], said["gen_ai.usage.output_tokens"]) == (100, 20)
    assert said["gen_ai.usage.cache_read.input_tokens"] == 64
    # 36 at 1.0 and 64 at 0.5 dollars per million, 20 at 10.
    assert said["hanok.cost_usd"] == 0.000268
    assert said["gen_ai.output.messages"][0]["role"] == "assistant"
    assert texts(streamed["attributes"]["gen_ai.output.messages"]) == [("assistant", QUESTION)]
    calls = [part for part in called["attributes"]["gen_ai.output.messages"][0]["parts"] if part["type"] == "tool_call"]
    assert [call["name"] for call in calls] == ["get_weather", "get_time"]
    assert calls[0]["arguments"] == {"city": "서울", "unit": "C"}
    assert calls[0]["id"] == "call_a"
    assert "get_weather" in json.dumps(called["attributes"]["gen_ai.tool.definitions"])
    assert failed["status"] == "error" and failed["error"]
    assert embeddings[0]["attributes"]["gen_ai.request.model"] == "embed"
    assert not any("vector" in name for name in embeddings[0]["attributes"])
    # Nothing of a message is left under a name of the convention's own.
    names = {name for span in trace["spans"] for name in span["attributes"]}
    assert not [name for name in names if name.startswith(("llm.", "gen_ai.prompt.0", "gen_ai.completion.", "input."))], names
    row = row_of(house, trace_id)
    counted = chats + embeddings
    tokens = sum(span["attributes"].get("gen_ai.usage.input_tokens", 0) for span in counted)
    assert row["input_tokens"] == tokens
    assert row["cost_usd"] == pytest.approx(sum(span["attributes"].get("hanok.cost_usd", 0) for span in counted))
    assert row["source"] == f"{kind}-shop"


def otlp(trace_id, span_id="00000000000000a1", **more):
    span = {
        "traceId": trace_id, "spanId": span_id, "name": "by hand", "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(START + 5_000_000), **more,
    }
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


JSON = {"content-type": "application/json"}
PROTOBUF = {"content-type": "application/x-protobuf"}


def test_answers_in_the_format_of_the_request(house):
    good = house.post("/v1/traces", otlp("11" * 16))
    assert (good.status, good.headers["content-type"], good.json) == (200, "application/json", {})
    partial = house.post("/v1/traces", otlp("00" * 16))
    assert partial.status == 200
    assert partial.json["partialSuccess"]["rejectedSpans"] == "1"
    assert "trace id" in partial.json["partialSuccess"]["errorMessage"]
    bad = house.post("/v1/traces", b"{", headers=JSON)
    assert (bad.status, bad.json["code"]) == (400, 3)
    assert "not an OTLP request" in bad.json["message"]

    from google.rpc.status_pb2 import Status
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as proto

    request = proto.ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.name, span.start_time_unix_nano = b"\x12" * 16, "no span id", START
    partial = house.post("/v1/traces", request.SerializeToString(), headers=PROTOBUF)
    assert (partial.status, partial.headers["content-type"]) == (200, "application/x-protobuf")
    answer = proto.ExportTraceServiceResponse.FromString(partial.body)
    assert answer.partial_success.rejected_spans == 1
    assert "span id" in answer.partial_success.error_message
    bad = house.post("/v1/traces", b"\x0a\xff", headers=PROTOBUF)
    assert bad.status == 400
    assert (Status.FromString(bad.body).code, bad.headers["content-type"]) == (3, "application/x-protobuf")

    assert house.post("/v1/traces", b"x", headers={"content-type": "text/plain"}).status == 415
    assert house.post("/v1/traces", b"x", headers={**JSON, "content-encoding": "br"}).status == 415
    assert house.post("/v1/traces", b"x", headers={**JSON, "content-encoding": "gzip"}).status == 400
    assert house.get("/v1/traces").status == 405


def test_bombs_and_giants_are_refused(house):
    bomb = gzip.compress(b" " * (64 << 20))
    assert len(bomb) < 1 << 17
    reply = house.post("/v1/traces", bomb, headers={**JSON, "content-encoding": "gzip"})
    assert (reply.status, reply.json["code"]) == (413, 3)
    many = b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b"{}," * 2_000_000 + b"{}]}]}]}"
    reply = house.post("/v1/traces", many, headers=JSON)
    assert reply.status == 400 and "too many" in reply.json["message"]
    assert house.get("/healthz").status == 200


def test_logs_and_metrics(house):
    trace_id = "22" * 16
    assert house.post("/v1/traces", otlp(trace_id)).status == 200
    text = lambda name, said: {"key": name, "value": {"stringValue": said}}  # noqa: E731
    event = {
        "timeUnixNano": str(START), "traceId": trace_id, "spanId": "00000000000000a1", "eventName": "gen_ai.user.message",
        "body": {"kvlistValue": {"values": [text("content", "told by a log")]}},
    }
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [event, {"body": {"stringValue": "a line"}}]}]}]}
    assert house.post("/v1/logs", logs).json == {}
    spans = house.get(f"/api/traces/{trace_id}").json["spans"]
    assert texts(spans[1]["attributes"]["gen_ai.input.messages"]) == [("user", "told by a log")]
    assert spans[1]["parent_id"] == "00000000000000a1"
    metrics = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "x"}]}]}]}
    assert house.post("/v1/metrics", metrics).json == {}
    told = house.get("/metrics").text
    assert "hanok_otlp_ignored_metrics_total 1" in told
    assert "hanok_otlp_ignored_log_records_total 1" in told


def test_the_second_port_has_nothing_else(house):
    from support import http_request

    assert http_request(house.otlp, "POST", "/v1/traces", otlp("33" * 16)).status == 200
    for method, path in [("GET", "/"), ("GET", "/api/traces"), ("POST", "/v1/chat/completions"), ("GET", "/metrics")]:
        assert http_request(house.otlp, method, path, {} if method == "POST" else None).status == 404, path


def test_spans_belong_to_the_project_of_their_key(upstream, tmp_path):
    config = providers(upstream, '[[keys]]\nname = "root"\nkey = "env:ROOT_KEY"\n')
    with running(tmp_path, config, env={"ROOT_KEY": "sk-root"}) as server:
        root = {"authorization": "Bearer sk-root"}
        made = server.post("/api/keys", {"name": "exporter", "project": "shop"}, headers=root)
        assert made.status < 300, made.text
        secret = made.json["secret"]
        other = server.post("/api/keys", {"name": "nosy", "project": "other"}, headers=root).json["secret"]
        assert server.post("/v1/traces", otlp("44" * 16)).status == 401
        trace_id = run_program("sdk", server.url, upstream, f"x-api-key={secret}")
        path = f"/api/traces/{trace_id}"
        assert server.get(path, headers={"x-api-key": secret}).status == 200
        assert server.get(path, headers={"x-api-key": other}).status == 404
        # Who guesses the id of another project's trace writes into one of its own.
        guessed = otlp(trace_id, "00000000000000ff", name="an intruder")
        assert server.post("/v1/traces", guessed, headers={"x-api-key": other}).status == 200
        assert "an intruder" not in server.get(path, headers=root).text


def test_a_full_disk_is_told_and_nothing_acknowledged_is_lost(tmp_path):
    import resource

    server = Hanok(tmp_path).start()
    assert server.post("/v1/traces", otlp("55" * 16)).status == 200
    pid, unlimited = server.process.pid, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    refused = server.post("/v1/traces", otlp("66" * 16))
    assert (refused.status, refused.json["code"]) == (503, 14)
    assert int(refused.headers["retry-after"]) >= 1
    resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
    from support import eventually

    # As an exporter does: it sends the same again.
    eventually(lambda: server.post("/v1/traces", otlp("66" * 16)).status == 200)
    assert len(server.get("/api/traces/" + "66" * 16).json["spans"]) == 1
    assert server.stop() == 0
