// The Anthropic Node client against the built binary, over every provider.

import Anthropic from "@anthropic-ai/sdk";
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

const { houseOfVendors, ANSWER, CALLS, KEY, PROVIDERS, SIGNATURE, THOUGHT, TOOLS } = await import(`${process.env.HANOK_TESTS}/node/vendors.mjs`);

let house, client;
const tools = TOOLS.map(({ name, schema }) => ({ name, input_schema: schema }));
const ask = (content) => [{ role: "user", content }];
const text = (message) => message.content.filter((block) => block.type === "text").map((block) => block.text).join("");

before(async () => {
  house = await houseOfVendors();
  client = new Anthropic({ baseURL: house.url, apiKey: KEY, maxRetries: 0 });
});

after(() => house?.stop());

const create = (body) => client.messages.create(body);
const stream = (body) => client.messages.stream(body).finalMessage();

for (const provider of PROVIDERS) {
  for (const say of [create, stream]) {
    test(`text: ${provider}, ${say.name}`, async () => {
      const message = await say({ model: `${provider}/text`, max_tokens: 100, messages: ask("안녕") });
      assert.equal(text(message), ANSWER);
      assert.equal(message.stop_reason, "end_turn");
      assert.equal(message.usage.output_tokens, 7);
    });

    test(`tools in two turns: ${provider}, ${say.name}`, async () => {
      const body = { model: `${provider}/tools`, max_tokens: 100, tools, messages: ask("weather and time?") };
      const message = await say(body);
      const uses = message.content.filter((block) => block.type === "tool_use");
      assert.deepEqual(uses.map((use) => [use.name, use.input]), CALLS);
      assert.equal(message.stop_reason, "tool_use");
      const results = uses.map((use, at) => ({ type: "tool_result", tool_use_id: use.id, content: `said ${at}` }));
      const messages = [...body.messages, { role: "assistant", content: message.content }, { role: "user", content: results }];
      assert.equal(text(await say({ ...body, messages })), "tools said: said 0; said 1");
    });
  }
}

for (const provider of ["anthropic", "gemini", "responses"]) {
  test(`signed thoughts come back: ${provider}`, async () => {
    await house.vendors.requests();
    const body = {
      model: `${provider}/think-tool`, max_tokens: 4096, tools, thinking: { type: "enabled", budget_tokens: 1024 }, messages: ask("why?"),
    };
    const message = await stream(body);
    assert.equal(message.content.filter((block) => block.type === "thinking").map((block) => block.thinking).join(""), THOUGHT);
    const [use] = message.content.filter((block) => block.type === "tool_use");
    const answer = [{ type: "tool_result", tool_use_id: use.id, content: "맑음" }];
    const messages = [...body.messages, { role: "assistant", content: message.content }, { role: "user", content: answer }];
    assert.equal(text(await stream({ ...body, messages })), "tools said: 맑음");
    const [, second] = await house.vendors.requests();
    // Gemini signs the call, the others the thought.
    assert.ok(JSON.stringify(second.body).includes(provider === "gemini" ? "Z2VtaW5pLWNhbGwtc2lnbmF0dXJl" : SIGNATURE));
  });
}

test("counting tokens", async () => {
  const { input_tokens } = await client.messages.countTokens({ model: "openai/text", messages: ask("some words") });
  assert.ok(input_tokens > 0 && input_tokens < 100);
});

test("beta messages", async () => {
  await house.vendors.requests();
  await client.beta.messages.create({ model: "anthropic/text", max_tokens: 10, messages: ask("x"), betas: ["files-api-2025-04-14"] });
  const [request] = await house.vendors.requests();
  assert.equal(request.headers["anthropic-beta"], "files-api-2025-04-14");
});

test("models", async () => {
  const ids = [];
  for await (const model of client.models.list({ limit: 1000 })) ids.push(model.id);
  for (const id of ["anthropic/text", "openai/text", "hanok/extract"]) assert.ok(ids.includes(id), id);
});

test("errors are the client's own", async () => {
  await assert.rejects(create({ model: "nobody/x", max_tokens: 10, messages: ask("x") }), Anthropic.NotFoundError);
  await assert.rejects(stream({ model: "anthropic/err-400", max_tokens: 10, messages: ask("x") }), Anthropic.BadRequestError);
});

for (const fault of ["cut", "cut-clean", "bad-json"]) {
  test(`a stream that breaks ends in an error: ${fault}`, async () => {
    const words = `fault=${fault} ${"word ".repeat(40)}`;
    await assert.rejects(stream({ model: "openai/flaky", max_tokens: 100, messages: ask(words) }), Anthropic.APIError);
  });
}
