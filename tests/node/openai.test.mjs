// The OpenAI Node client against the built binary.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import OpenAI from "openai";

const { hanok, upstream, providers, eventually } = await import(`${process.env.HANOK_TESTS}/node/house.mjs`);

let mock, house, client;

before(async () => {
  mock = await upstream();
  house = await hanok({ config: providers(mock), library: true });
  client = new OpenAI({ baseURL: `${house.url}/v1`, apiKey: "any", maxRetries: 0 });
});

after(async () => {
  await house?.stop();
  await mock?.stop();
});

const ask = (content) => [{ role: "user", content }];

test("models are listed under the names clients use", async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  for (const id of ["mock/echo", "fast", "hanok/extract", "hanok/extract@default"]) assert.ok(ids.includes(id), id);
});

for (const model of ["mock/echo", "fast"]) {
  test(`chat whole: ${model}`, async () => {
    const answer = await client.chat.completions.create({ model, messages: ask("안녕, house") });
    assert.equal(answer.choices[0].message.content, "안녕, house");
    assert.equal(answer.choices[0].finish_reason, "stop");
  });

  test(`chat streamed: ${model}`, async () => {
    const stream = await client.chat.completions.create({ model, messages: ask("안녕, a longer house"), stream: true });
    let text = "";
    let finish;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      finish = chunk.choices[0]?.finish_reason ?? finish;
    }
    assert.equal(text, "안녕, a longer house");
    assert.equal(finish, "stop");
  });
}

test("base URLs without /v1 work too", async () => {
  const bare = new OpenAI({ baseURL: house.url, apiKey: "any", maxRetries: 0 });
  const answer = await bare.chat.completions.create({ model: "fast", messages: ask("bare") });
  assert.equal(answer.choices[0].message.content, "bare");
});

test("tools streamed, by the client's own collector", async () => {
  const tools = ["get_weather", "get_time"].map((name) => ({
    type: "function",
    function: { name, parameters: { type: "object", properties: {} } },
  }));
  const stream = client.chat.completions.stream({ model: "mock/tools", messages: ask("x"), tools });
  const message = await stream.finalMessage();
  assert.deepEqual(
    message.tool_calls.map((call) => [call.id, call.function.name, JSON.parse(call.function.arguments)]),
    [
      ["call_a", "get_weather", { city: "서울", unit: "C" }],
      ["call_b", "get_time", { zone: "Asia/Seoul" }],
    ],
  );
});

test("usage, with what was cached and reasoned", async () => {
  const stream = await client.chat.completions.create({
    model: "mock/usage",
    messages: ask("x"),
    stream: true,
    stream_options: { include_usage: true },
  });
  let usage;
  for await (const chunk of stream) usage = chunk.usage ?? usage;
  assert.equal(usage.prompt_tokens_details.cached_tokens, 64);
  assert.equal(usage.completion_tokens_details.reasoning_tokens, 7);
});

test("embeddings", async () => {
  const { data } = await client.embeddings.create({ model: "mock/embed", input: ["a", "b"] });
  assert.equal(data.length, 2);
  assert.ok(Math.abs(data[0].embedding[1] + 0.009327292) < 1e-8);
});

test("an answer from documents is quoted and cited", async () => {
  const answer = await client.chat.completions.create({
    model: "hanok/extract",
    messages: ask("When does the warehouse open?"),
  });
  const { content, annotations } = answer.choices[0].message;
  assert.match(content, /opens at seven/);
  assert.ok(annotations.length > 0);
  for (const annotation of annotations) {
    const citation = annotation.url_citation;
    const own = { ...annotation, ...citation };
    // Indices count code points, which JavaScript's strings do not.
    const quoted = [...content].slice(citation.start_index, citation.end_index).join("");
    assert.equal(quoted, own.quote);
    const id = new URL(citation.url, house.url).pathname.split("/").pop();
    const source = Buffer.from(await (await fetch(`${house.url}/api/sources/${id}/text`)).arrayBuffer());
    assert.equal(source.subarray(own.start, own.end).toString(), own.quote);
  }
});

test("an answer from Korean documents streams", async () => {
  const stream = await client.chat.completions.create({
    model: "hanok/extract@default",
    messages: ask("2년차 직원의 연차 휴가는 며칠인가요?"),
    stream: true,
  });
  let text = "";
  const annotations = [];
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? "";
    annotations.push(...(chunk.choices[0]?.delta.annotations ?? []));
  }
  assert.match(text, /열다섯 날/);
  assert.ok(annotations.length > 0);
});

test("an unknown model is not found", async () => {
  await assert.rejects(client.chat.completions.create({ model: "fats", messages: ask("x") }), (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    assert.equal(error.code, "model_not_found");
    assert.match(error.message, /fast/);
    return true;
  });
});

test("a rate limit is one, with the time to wait", async () => {
  await assert.rejects(client.chat.completions.create({ model: "mock/err429", messages: ask("x") }), (error) => {
    assert.ok(error instanceof OpenAI.RateLimitError);
    assert.equal(error.headers.get("retry-after"), "1");
    return true;
  });
});

for (const model of ["cut", "cut-clean", "badjson-stream"]) {
  test(`a stream that breaks ends in an error: ${model}`, async () => {
    const stream = await client.chat.completions.create({ model: `mock/${model}`, messages: ask("x"), stream: true });
    let text = "";
    await assert.rejects(async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
    }, OpenAI.APIError);
    assert.match(text, /^half/);
  });
}

test("every call can be looked up", async () => {
  const { response } = await client.chat.completions.create({ model: "fast", messages: ask("x") }).withResponse();
  const id = response.headers.get("x-hanok-trace-id");
  const trace = await eventually(async () => {
    const found = await fetch(`${house.url}/api/traces/${id}`);
    return found.ok && (await found.json());
  }, "the trace");
  assert.ok(trace.spans.length >= 2);
});

test("a call that is given up ends", async () => {
  const stop = new AbortController();
  const stream = await client.chat.completions.create(
    { model: "mock/slow", messages: ask("x"), stream: true },
    { signal: stop.signal },
  );
  let chunks = 0;
  for await (const _ of stream) if (++chunks === 3) stop.abort();
  assert.ok(chunks < 20);
});
