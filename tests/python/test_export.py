"""Traces out: to a collector over OTLP, and as lines of JSON."""

import gzip
import http.server
import json
import threading

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from support import eventually, free_port, hanok, providers, running


class Collector:
    """Takes traces on a port; `say` gives the status of each request."""

    def __init__(self, port, say=lambda count: 200):
        self.requests, self.spans, seen = [], [], self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                status = say(len(seen.requests))
                seen.requests.append((self.path, dict(self.headers), status))
                if status == 200:
                    seen.take(gzip.decompress(body))
                self.send_response(status)
                if status == 503:
                    self.send_header("retry-after", "0")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, body):
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = {item.key: item.value.string_value for item in resource.resource.attributes}["service.name"]
            for scope in resource.scope_spans:
                self.spans += [(service, span) for span in scope.spans]

    def of(self, trace_id):
        return [span for _, span in self.spans if span.trace_id.hex() == trace_id]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def config(upstream, port, more=""):
    return providers(upstream, f'[export]\notlp = "http://127.0.0.1:{port}"\n{more}')


def value(any_value):
    return getattr(any_value, any_value.WhichOneof("value"))


def test_a_collector_gets_every_span_with_its_attributes(upstream, tmp_path):
    port = free_port()
    collector = Collector(port)
    more = 'headers = { "x-key" = "env:COLLECTOR_KEY", "x-plain" = "plain" }'
    with running(tmp_path, config(upstream, port, more), env={"COLLECTOR_KEY": "s3cret"}) as server:
        reply = server.chat("fast", "what is exported?", user="alice")
        trace_id = reply.headers["x-hanok-trace-id"]
        spans = eventually(lambda: collector.of(trace_id), what="the spans at the collector")
        recorded = server.trace(trace_id, spans=2)["spans"]
    collector.stop()
    path, headers, _ = collector.requests[0]
    assert path == "/v1/traces" and headers["x-key"] == "s3cret" and headers["x-plain"] == "plain"
    assert {service for service, _ in collector.spans} == {"hanok"}
    assert len(spans) == len(recorded) == 2
    for span, wanted in zip(spans, recorded):
        assert span.span_id.hex() == wanted["span_id"]
        assert span.parent_span_id.hex() == (wanted["parent_id"] or "")
        assert span.name == wanted["name"]
        assert abs((span.end_time_unix_nano - span.start_time_unix_nano) / 1e6 - wanted["duration_ms"]) < 0.001
        got = {item.key: value(item.value) for item in span.attributes}
        for name, expect in wanted["attributes"].items():
            if isinstance(expect, (dict, list)) and isinstance(got[name], str):
                assert json.loads(got[name]) == expect, name
            elif isinstance(expect, list):
                assert [value(item) for item in got[name].values] == expect, name
            else:
                assert got[name] == expect, name
    chat = {item.key: value(item.value) for item in spans[1].attributes}
    assert "what is exported?" in chat["gen_ai.input.messages"] and chat["user.id"] == "alice"


def test_without_content_no_words_go_out(upstream, tmp_path):
    port = free_port()
    collector = Collector(port)
    with running(tmp_path, config(upstream, port, "content = false")) as server:
        trace_id = server.chat("fast", "a secret word").headers["x-hanok-trace-id"]
        spans = eventually(lambda: collector.of(trace_id))
    collector.stop()
    assert b"secret word" not in b"".join(span.SerializeToString() for span in spans)


@pytest.mark.parametrize("status", [429, 503])
def test_what_a_busy_collector_does_not_take_is_sent_again(upstream, tmp_path, status):
    port = free_port()
    collector = Collector(port, lambda count: status if count < 2 else 200)
    with running(tmp_path, config(upstream, port)) as server:
        trace_id = server.chat("fast").headers["x-hanok-trace-id"]
        assert len(eventually(lambda: collector.of(trace_id), 20)) == 2
        assert "hanok_export_failures_total 2" in server.get("/metrics").text
    collector.stop()
    assert [status for _, _, status in collector.requests] == [status, status, 200]


def test_what_a_collector_refuses_is_counted_and_the_rest_goes_on(upstream, tmp_path):
    port = free_port()
    collector = Collector(port, lambda count: 400 if count == 0 else 200)
    with running(tmp_path, config(upstream, port)) as server:
        lost = server.chat("fast").headers["x-hanok-trace-id"]
        eventually(lambda: "hanok_export_left_out_total 1" in server.get("/metrics").text)
        kept = server.chat("fast").headers["x-hanok-trace-id"]
        eventually(lambda: collector.of(kept))
    collector.stop()
    assert not collector.of(lost)


def test_while_the_collector_is_away_and_over_a_kill_nothing_is_lost(upstream, tmp_path):
    port = free_port()
    wanted = []
    with running(tmp_path, config(upstream, port)) as server:
        wanted += [server.chat("fast", f"before {n}").headers["x-hanok-trace-id"] for n in range(5)]
        for trace_id in wanted:
            server.trace(trace_id, spans=2)
        eventually(lambda: "hanok_export_failures_total 0" not in server.get("/metrics").text, 20)
        assert server.get("/api/status").json["export_problem"]
        server.kill()
        collector = Collector(port)
        server.start()
        wanted.append(server.chat("fast", "after").headers["x-hanok-trace-id"])
        eventually(lambda: all(collector.of(trace_id) for trace_id in wanted), 20, "all traces at the collector")
    collector.stop()


def test_an_export_of_lines_holds_everything_and_never_overwrites(upstream, tmp_path):
    with running(tmp_path, providers(upstream)) as server:
        ids = [server.chat("fast", f"line {n}").headers["x-hanok-trace-id"] for n in range(3)]
        wanted = [server.trace(trace_id, spans=2) for trace_id in ids]
        ran = hanok("trace", "export", "-o", "all.jsonl", cwd=tmp_path)
        assert ran.code == 0, ran.err
        lines = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
        assert lines == wanted[::-1]
        again = hanok("trace", "export", "-o", "all.jsonl", cwd=tmp_path)
        assert again.code == 1 and "all.jsonl" in again.err
        piped = hanok("trace", "export", "--no-content", "--filter", "model:fast", cwd=tmp_path)
        assert len(piped.out.splitlines()) == 3 and "line 1" not in [
            str(span["attributes"].get("gen_ai.input.messages")) for span in json.loads(piped.out.splitlines()[1])["spans"]
        ]
