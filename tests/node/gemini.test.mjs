// Google's Node client against the built binary, over every provider.

import { GoogleGenAI } from "@google/genai";
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

const { houseOfVendors, ANSWER, CALLS, KEY, PROVIDERS, SIGNATURE, STRUCTURED, THOUGHT, TOOLS } = await import(`${process.env.HANOK_TESTS}/node/vendors.mjs`);

let house, client;
const functions = [{ functionDeclarations: TOOLS.map(({ name, schema }) => ({ name, parametersJsonSchema: schema })) }];
const user = (...parts) => ({ role: "user", parts });

before(async () => {
  house = await houseOfVendors();
  client = new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: house.url } });
});

after(() => house?.stop());

async function whole(request) {
  const answer = await client.models.generateContent(request);
  return { parts: answer.candidates[0].content.parts, finish: answer.candidates[0].finishReason, usage: answer.usageMetadata };
}

async function streamed(request) {
  const said = { parts: [], finish: undefined, usage: undefined };
  for await (const chunk of await client.models.generateContentStream(request)) {
    said.parts.push(...(chunk.candidates?.[0]?.content?.parts ?? []));
    said.finish = chunk.candidates?.[0]?.finishReason ?? said.finish;
    said.usage = chunk.usageMetadata ?? said.usage;
  }
  return said;
}

const text = (said) => said.parts.filter((part) => part.text && !part.thought).map((part) => part.text).join("");
const calls = (said) => said.parts.filter((part) => part.functionCall).map((part) => part.functionCall);

for (const provider of PROVIDERS) {
  for (const say of [whole, streamed]) {
    test(`text: ${provider}, ${say.name}`, async () => {
      const said = await say({ model: `${provider}/text`, contents: "안녕" });
      assert.equal(text(said), ANSWER);
      assert.equal(said.finish, "STOP");
      assert.equal(said.usage.promptTokenCount, 11);
    });

    test(`functions in two turns: ${provider}, ${say.name}`, async () => {
      const request = { model: `${provider}/tools`, contents: [user({ text: "weather and time?" })], config: { tools: functions } };
      const said = await say(request);
      assert.deepEqual(calls(said).map((call) => [call.name, call.args]), CALLS);
      const answers = calls(said).map(({ id, name }, at) => ({ functionResponse: { id, name, response: { output: `said ${at}` } } }));
      const contents = [...request.contents, { role: "model", parts: said.parts }, user(...answers)];
      assert.equal(text(await say({ ...request, contents })), "tools said: said 0; said 1");
    });

    test(`an answer in a form: ${provider}, ${say.name}`, async () => {
      const schema = { type: "object", properties: { name: { type: "string" } }, required: ["name"] };
      const config = { responseMimeType: "application/json", responseJsonSchema: schema };
      assert.deepEqual(JSON.parse(text(await say({ model: `${provider}/structured`, contents: "a house", config }))), STRUCTURED);
    });
  }
}

for (const provider of ["anthropic", "gemini", "responses"]) {
  test(`signed thoughts come back: ${provider}`, async () => {
    await house.vendors.requests();
    const config = { tools: functions, thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 } };
    const request = { model: `${provider}/think-tool`, contents: [user({ text: "why?" })], config };
    const said = await streamed(request);
    assert.equal(said.parts.filter((part) => part.thought).map((part) => part.text ?? "").join(""), THOUGHT);
    const [{ id, name }] = calls(said);
    const answer = user({ functionResponse: { id, name, response: { output: "맑음" } } });
    const contents = [...request.contents, { role: "model", parts: said.parts }, answer];
    assert.equal(text(await streamed({ ...request, contents })), "tools said: 맑음");
    const [, second] = await house.vendors.requests();
    assert.ok(JSON.stringify(second.body).includes(provider === "gemini" ? "Z2VtaW5pLWNhbGwtc2lnbmF0dXJl" : SIGNATURE));
  });
}

test("a chat of several turns", async () => {
  const chat = client.chats.create({ model: "anthropic/text" });
  assert.equal((await chat.sendMessage({ message: "하나" })).text, ANSWER);
  assert.equal((await chat.sendMessage({ message: "둘" })).text, ANSWER);
});

test("embeddings", async () => {
  const answer = await client.models.embedContent({ model: "openai/text", contents: ["a", "b"] });
  assert.equal(answer.embeddings.length, 2);
  assert.ok(Math.abs(answer.embeddings[1].values[1] + 0.009327292) < 1e-8);
});

test("counting tokens", async () => {
  const { totalTokens } = await client.models.countTokens({ model: "openai/text", contents: "some words" });
  assert.ok(totalTokens > 0 && totalTokens < 100);
});

test("models", async () => {
  const names = [];
  for await (const model of await client.models.list()) names.push(model.name);
  for (const name of ["models/gemini/text", "models/openai/text"]) assert.ok(names.includes(name), name);
});

test("errors are the client's own", async () => {
  await assert.rejects(client.models.generateContent({ model: "nobody/x", contents: "x" }), (error) => error.status === 404);
  await assert.rejects(client.models.generateContent({ model: "gemini/err-400", contents: "x" }), (error) => error.status === 400);
});

test("a stream that breaks ends in an error", async () => {
  await assert.rejects(streamed({ model: "openai/flaky", contents: `fault=cut-clean ${"word ".repeat(40)}` }));
});
