// OpenAI's Node client and its Responses against the built binary, over every provider.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import OpenAI from "openai";

const { houseOfVendors, ANSWER, CALLS, KEY, PROVIDERS, SIGNATURE, STRUCTURED, TOOLS } = await import(`${process.env.HANOK_TESTS}/node/vendors.mjs`);

let house, client;
const tools = TOOLS.map(({ name, schema }) => ({ type: "function", name, parameters: schema, strict: false }));

before(async () => {
  house = await houseOfVendors();
  client = new OpenAI({ baseURL: `${house.url}/v1`, apiKey: KEY, maxRetries: 0 });
});

after(() => house?.stop());

const create = (body) => client.responses.create(body);
const stream = (body) => client.responses.stream(body).finalResponse();

for (const provider of PROVIDERS) {
  for (const say of [create, stream]) {
    test(`text: ${provider}, ${say.name}`, async () => {
      const answer = await say({ model: `${provider}/text`, input: "안녕", store: false });
      assert.equal(answer.output_text, ANSWER);
      assert.equal(answer.status, "completed");
      assert.equal(answer.usage.total_tokens, 18);
    });

    test(`tools in two turns: ${provider}, ${say.name}`, async () => {
      const body = { model: `${provider}/tools`, input: [{ role: "user", content: "weather and time?" }], tools, store: false };
      const answer = await say(body);
      const called = answer.output.filter((item) => item.type === "function_call");
      assert.deepEqual(called.map((call) => [call.name, JSON.parse(call.arguments)]), CALLS);
      // The stream's own collector adds a member that no API knows.
      const items = answer.output.map(({ parsed_arguments: _, ...item }) => item);
      const outputs = called.map((call, at) => ({ type: "function_call_output", call_id: call.call_id, output: `said ${at}` }));
      const after = await say({ ...body, input: [...body.input, ...items, ...outputs] });
      assert.equal(after.output_text, "tools said: said 0; said 1");
    });
  }

  test(`kept by the server: ${provider}`, async () => {
    const first = await create({ model: `${provider}/text`, input: "one" });
    const second = await create({ model: `${provider}/text`, input: "two", previous_response_id: first.id });
    assert.notEqual(first.id, second.id);
    assert.equal((await client.responses.retrieve(first.id)).output_text, ANSWER);
    await client.responses.delete(first.id);
    await assert.rejects(client.responses.retrieve(first.id), OpenAI.NotFoundError);
  });
}

for (const provider of ["anthropic", "gemini", "responses"]) {
  test(`signed thoughts come back: ${provider}`, async () => {
    await house.vendors.requests();
    const body = {
      model: `${provider}/think-tool`, input: [{ role: "user", content: "why?" }], tools, store: false,
      reasoning: { effort: "medium", summary: "auto" }, include: ["reasoning.encrypted_content"],
    };
    const answer = await create(body);
    const [call] = answer.output.filter((item) => item.type === "function_call");
    const output = { type: "function_call_output", call_id: call.call_id, output: "맑음" };
    const after = await create({ ...body, input: [...body.input, ...answer.output, output] });
    assert.equal(after.output_text, "tools said: 맑음");
    const [, second] = await house.vendors.requests();
    assert.ok(JSON.stringify(second.body).includes(provider === "gemini" ? "Z2VtaW5pLWNhbGwtc2lnbmF0dXJl" : SIGNATURE));
  });
}

test("an answer in a form", async () => {
  const schema = { type: "object", properties: { name: { type: "string" } }, required: ["name"], additionalProperties: false };
  const answer = await client.responses.parse({
    model: "anthropic/structured", input: "a house", text: { format: { type: "json_schema", name: "house", schema, strict: true } },
  });
  assert.deepEqual(answer.output_parsed, STRUCTURED);
});

test("chats over every provider, by the client's own collector", async () => {
  for (const provider of PROVIDERS) {
    const chat = client.chat.completions.stream({ model: `${provider}/tools`, messages: [{ role: "user", content: "x" }],
      tools: TOOLS.map(({ name, schema }) => ({ type: "function", function: { name, parameters: schema } })) });
    const message = await chat.finalMessage();
    assert.deepEqual(message.tool_calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]), CALLS, provider);
  }
});

test("raw routes", async () => {
  const speech = await client.audio.speech.create({ model: "openai/text", voice: "alloy", input: "안녕" });
  assert.equal((await speech.arrayBuffer()).byteLength, 256 * 40);
  const sound = new File([new Uint8Array(256 * 40).map((_, at) => at % 256)], "a.mp3");
  const heard = await client.audio.transcriptions.create({ model: "openai/text", file: sound });
  assert.equal(heard.text, "heard text, all of it");
  assert.equal((await client.moderations.create({ model: "openai/text", input: "x" })).results[0].flagged, true);
  assert.ok((await client.images.generate({ model: "openai/text", prompt: "x" })).data[0].b64_json);
});

test("a stream that breaks ends in an error", async () => {
  const input = `fault=cut-clean ${"word ".repeat(40)}`;
  await assert.rejects(stream({ model: "anthropic/flaky", input, store: false }));
});
