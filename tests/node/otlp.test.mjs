// The JavaScript SDK of OpenTelemetry, whose exporter speaks JSON, against the built binary.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { context, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";

const { hanok } = await import(`${process.env.HANOK_TESTS}/node/house.mjs`);

let house, provider;

before(async () => {
  house = await hanok();
  const exporter = new OTLPTraceExporter({ url: `${house.url}/v1/traces`, compression: "gzip" });
  provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": "js-shop" }),
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  });
});

after(async () => {
  await provider?.shutdown();
  await house?.stop();
});

test("spans of the JavaScript SDK", async () => {
  const tracer = provider.getTracer("shop", "1.0");
  const root = tracer.startSpan("answer a customer", { attributes: { "session.id": "c-8", "user.id": "bob" } });
  const within = trace.setSpan(context.active(), root);
  const chat = tracer.startSpan(
    "chat gpt-5-mini",
    {
      kind: SpanKind.CLIENT,
      attributes: {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5-mini",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 100,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.input.messages": JSON.stringify([{ role: "user", parts: [{ type: "text", content: "환불?" }] }]),
        "shop.ratio": 0.25,
        "shop.big": 9007199254740991,
      },
    },
    within,
  );
  chat.addEvent("gen_ai.choice", { index: 0, finish_reason: "stop", content: "7일 안에.", role: "assistant" });
  chat.end();
  const tool = tracer.startSpan("execute_tool lookup", { attributes: { "gen_ai.tool.name": "lookup" } }, within);
  tool.recordException(new Error("no such order"));
  tool.setStatus({ code: SpanStatusCode.ERROR, message: "no such order" });
  tool.end();
  root.end();
  await provider.forceFlush();

  const { traceId } = root.spanContext();
  const found = await fetch(`${house.url}/api/traces/${traceId}`);
  assert.equal(found.status, 200);
  const recorded = (await found.json()).spans;
  // Its clock has milliseconds, in which children may begin together: they are told apart by name.
  const names = ["answer a customer", "chat gpt-5-mini", "execute_tool lookup"];
  const spans = names.map((name) => recorded.find((span) => span.name === name));
  assert.equal(recorded.length, names.length);
  assert.equal(recorded[0].name, names[0]);
  const { attributes } = spans[1];
  assert.equal(attributes["hanok.cost_usd"], 0.00045);
  assert.equal(attributes["shop.ratio"], 0.25);
  assert.equal(attributes["shop.big"], 9007199254740991);
  assert.equal(attributes["gen_ai.input.messages"][0].parts[0].content, "환불?");
  assert.equal(attributes["gen_ai.output.messages"][0].parts[0].content, "7일 안에.");
  assert.equal(spans[1].parent_id, root.spanContext().spanId);
  assert.equal(spans[2].operation, "execute_tool");
  assert.equal(spans[2].error, "no such order");
  const { traces } = await (await fetch(`${house.url}/api/traces`)).json();
  const row = traces.find((row) => row.trace_id === traceId);
  assert.deepEqual(
    [row.name, row.input_tokens, row.output_tokens, row.session, row.user, row.source],
    ["answer a customer", 1000, 100, "c-8", "bob", "js-shop"],
  );
});
