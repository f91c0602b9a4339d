"""A program that is instrumented and never heard of Hanok: it exports what it does by OTLP.

    python3 instrumented.py KIND ENDPOINT UPSTREAM     # prints {"trace_id": "…"} once all is exported

KIND is `sdk` (spans by hand), `openinference` or `traceloop` (an instrumentor around the official client).
"""

import json
import sys

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Status, StatusCode

QUESTION = "환불은 어떻게 하나요?"


def main(kind, endpoint, upstream, *headers):
    exporter = OTLPSpanExporter(
        endpoint=f"{endpoint}/v1/traces", compression=Compression.Gzip, headers=dict(h.split("=") for h in headers)
    )
    provider = TracerProvider(resource=Resource.create({"service.name": f"{kind}-shop", "deployment.environment.name": "test"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    if kind == "openinference":
        from openinference.instrumentation.openai import OpenAIInstrumentor

        OpenAIInstrumentor().instrument(tracer_provider=provider)
    elif kind == "traceloop":
        from opentelemetry.instrumentation.openai import OpenAIInstrumentor

        OpenAIInstrumentor().instrument(tracer_provider=provider)
    tracer = provider.get_tracer("shop", "1.0")
    with tracer.start_as_current_span("answer a customer") as root:
        root.set_attribute("session.id", "c-7")
        root.set_attribute("user.id", "alice")
        if kind == "sdk":
            by_hand(tracer)
        else:
            by_client(upstream)
        trace_id = format(root.get_span_context().trace_id, "032x")
    provider.shutdown()
    print(json.dumps({"trace_id": trace_id}))


def by_hand(tracer):
    with tracer.start_as_current_span("chat gpt-5-mini", kind=trace.SpanKind.CLIENT) as span:
        span.set_attributes({
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-5-mini",
            "gen_ai.usage.input_tokens": 1000,
            "gen_ai.usage.output_tokens": 100,
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": QUESTION}]}]),
            "gen_ai.output.messages": json.dumps(
                [{"role": "assistant", "parts": [{"type": "text", "content": "7일 안에."}], "finish_reason": "stop"}]
            ),
            "shop.floats": [0.5, 1.5],
        })
    with tracer.start_as_current_span("execute_tool lookup") as span:
        span.set_attribute("gen_ai.operation.name", "execute_tool")
        span.record_exception(ValueError("no such order"))
        span.set_status(Status(StatusCode.ERROR, "no such order"))


def by_client(upstream):
    import openai

    client = openai.OpenAI(base_url=f"{upstream}/v1", api_key="sk-of-the-program", max_retries=0)
    ask = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}]
    client.chat.completions.create(model="usage", messages=ask, temperature=0.5)
    list(client.chat.completions.create(model="echo", messages=ask, stream=True, stream_options={"include_usage": True}))
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}}]
    client.chat.completions.create(model="tools", messages=ask, tools=tools)
    client.embeddings.create(model="embed", input=[QUESTION])
    try:
        client.chat.completions.create(model="err500", messages=ask)
    except openai.APIError:
        pass


if __name__ == "__main__":
    main(*sys.argv[1:])
