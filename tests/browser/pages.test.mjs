// Every page in Chromium, in both languages and themes: no console error, nothing from elsewhere, nothing that axe
// calls serious, nothing that overflows a phone. With HANOK_SHOTS=DIR, a picture of each.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { SHOTS, WIDE, browser, launch, open, samples, serious, whole } from "./page.mjs";

const { hanok, upstream, providers, eventually } = await import(`${process.env.HANOK_TESTS}/node/house.mjs`);

let mock, house, fresh, kept;
const places = {};

async function chat(model, content, stream = false) {
  const answer = await fetch(`${house.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model, stream, messages: [{ role: "user", content }] }),
  });
  await answer.text();
  const id = answer.headers.get("x-hanok-trace-id");
  await eventually(async () => (await fetch(`${house.url}/api/traces/${id}`)).ok, `trace ${id}`);
  return id;
}

before(async () => {
  mock = await upstream();
  [house, fresh, kept] = await Promise.all([hanok({ config: providers(mock), library: true }), hanok(), hanok({ seed: samples })]);
  places["sessions of nothing"] = `${fresh.url}/sessions`;
  places["costs of nothing"] = `${fresh.url}/costs`;
  places["traces of a month"] = `${kept.url}/traces`;
  places["trace of 20,000 spans"] = `${kept.url}/traces/000000000000000100000000000000a1`;
  places["trace of a turn"] = `${kept.url}/traces/${(await (await fetch(`${kept.url}/api/sessions/ticket-7003`)).json()).turns[1].trace_id}`;
  places.sessions = `${kept.url}/sessions`;
  places.session = `${kept.url}/sessions/ticket-7003`;
  places.costs = `${kept.url}/costs?range=30d`;
  places["costs by user"] = `${kept.url}/costs?range=7d&by=user&show=tokens&filter=${encodeURIComponent("user:alice")}`;
  places.settings = `${kept.url}/settings`;
  places["traces of nothing"] = `${fresh.url}/traces`;
  places["first run"] = `${fresh.url}/`;
  places.ask = `${house.url}/`;
  places.traces = `${house.url}/traces`;
  places["traces filtered"] = `${house.url}/traces?filter=${encodeURIComponent("status:error")}`;
  places["traces misfiltered"] = `${house.url}/traces?filter=${encodeURIComponent("status:purple")}`;
  for (const [name, model, text] of [
    ["a chat", "mock/usage", "count me"],
    ["tools", "mock/tools", "weather and time"],
    ["an answer from documents", "hanok/extract", "When does the warehouse open?"],
    ["a Korean answer", "hanok/extract", "2년차 직원의 연차 휴가는 며칠인가요?"],
    ["an error", "mock/err500", "broken"],
  ]) {
    places[`trace of ${name}`] = `${house.url}/traces/${await chat(model, text)}`;
  }
  const answer = await fetch(`${house.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "hanok/extract", messages: [{ role: "user", content: "Where are forklift batteries charged?" }] }),
  });
  const [annotation] = (await answer.json()).choices[0].message.annotations;
  places.source = new URL(annotation.url_citation.url, house.url).href;
  places.models = `${house.url}/models`;
  places.keys = `${house.url}/keys`;
  places["no such page"] = `${house.url}/nothing-here`;
  await launch();
});

after(async () => {
  await browser?.close();
  await house?.stop();
  await fresh?.stop();
  await kept?.stop();
  await mock?.stop();
});

// Asks a model itself, without documents.
async function choose(page, model) {
  await page.locator("#ask-model").selectOption(model);
  await page.locator("#ask-collection").selectOption("");
}

const NAMES = [
  "first run",
  "traces of nothing",
  "ask",
  "traces",
  "traces filtered",
  "traces misfiltered",
  "trace of a chat",
  "trace of tools",
  "trace of an answer from documents",
  "trace of a Korean answer",
  "trace of an error",
  "source",
  "models",
  "keys",
  "traces of a month",
  "trace of 20,000 spans",
  "trace of a turn",
  "sessions",
  "sessions of nothing",
  "session",
  "costs",
  "costs by user",
  "costs of nothing",
  "settings",
  "no such page",
];

describe("every page", () => {
  whole("pages", Object.fromEntries(NAMES.map((name) => [name, () => places[name]])), { status: { "no such page": 404 } });
});

test("language and theme can be chosen and are kept", async () => {
  const { page, faults, close } = await open(`${house.url}/?lang=ko&theme=dark`);
  try {
    await page.goto(`${house.url}/traces`);
    assert.equal(await page.locator("html").getAttribute("lang"), "ko");
    assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
    assert.deepEqual(faults, []);
  } finally {
    await close();
  }
});

for (const [lang, question, part] of [
  ["en", "When does the warehouse open?", "opens at seven"],
  ["ko", "서버실에는 누구와 들어갈 수 있나요?", "보안 담당자"],
]) {
  test(`a question by keyboard, its citation, its source, its trace: ${lang}`, async () => {
    const { page, faults, close } = await open(`${house.url}/`, { lang });
    try {
      await page.locator("#ask-q").focus();
      await page.keyboard.type(question);
      await page.keyboard.press("Enter");
      // What is seen; a citation's folded quote holds the same words.
      await eventually(async () => (await page.locator("#talk").innerText()).includes(part), "the answer", 10_000);
      const source = page.locator('#sources-list a[href*="sources/"]').first();
      await source.waitFor();
      await page.locator('#talk a[href*="traces/"], #sources a[href*="traces/"]').first().waitFor();
      assert.deepEqual(await serious(page), []);
      if (SHOTS) await page.screenshot({ path: join(SHOTS, `answered.${lang}.png`) });
      await page.goto(new URL(await source.getAttribute("href"), page.url()).href);
      const mark = page.locator("mark").first();
      await mark.waitFor();
      assert.ok(await mark.isVisible());
      const box = await mark.boundingBox();
      assert.ok(box.y >= 0 && box.y < WIDE.height, `the quoted place is not in view: ${JSON.stringify(box)}`);
      assert.deepEqual(faults, []);
    } finally {
      await close();
    }
  });
}

test("an absent topic is plainly not found", async () => {
  const { page, faults, close } = await open(`${house.url}/`);
  try {
    await page.locator("#ask-q").fill("How many moons does Jupiter have?");
    await page.keyboard.press("Enter");
    await page.locator("#talk").getByText(/nothing/i).first().waitFor();
    assert.equal(await page.locator('#sources-list a[href*="sources/"]').count(), 0);
    assert.deepEqual(faults, []);
  } finally {
    await close();
  }
});

test("a fault of a provider is shown where the answer would be", async () => {
  const { page, close } = await open(`${house.url}/`);
  try {
    await choose(page, "mock/err500");
    await page.locator("#ask-q").fill("anything");
    await page.keyboard.press("Enter");
    await page.locator("#talk").getByText(/mock/).first().waitFor();
  } finally {
    await close();
  }
});

test("what an answer says is text, never markup", async () => {
  const { page, faults, close } = await open(`${house.url}/`);
  try {
    await choose(page, "mock/echo");
    const hostile = '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>[x](javascript:window.hurt=1)';
    await page.locator("#ask-q").fill(hostile);
    await page.keyboard.press("Enter");
    await eventually(async () => (await page.locator("#talk").innerText()).split("onerror").length >= 3, "the echo");
    assert.equal(await page.locator("#talk img").count(), 0);
    assert.equal(await page.locator('#talk a[href^="javascript"]').count(), 0);
    assert.equal(await page.evaluate(() => window.hurt), undefined);
    assert.deepEqual(faults, []);
    const id = await chat("mock/echo", hostile);
    await page.goto(`${house.url}/traces/${id}`);
    assert.equal(await page.evaluate(() => window.hurt), undefined);
    await page.goto(`${house.url}/traces?filter=${encodeURIComponent(hostile)}`);
    assert.equal(await page.evaluate(() => window.hurt), undefined);
    assert.deepEqual(faults, []);
  } finally {
    await close();
  }
});

test("a new trace arrives by itself", async () => {
  const { page, faults, close } = await open(`${house.url}/traces`);
  try {
    await page.locator("#traces-rows tr").first().waitFor();
    const id = await chat("fast", "arriving now");
    await page.locator(`#traces-rows tr[data-id="${id}"]`).waitFor();
    assert.deepEqual(faults, []);
  } finally {
    await close();
  }
});

test("the filter by keyboard", async () => {
  const { page, faults, close } = await open(`${house.url}/traces`);
  try {
    await page.keyboard.press("/");
    await page.keyboard.type("status:error");
    await page.keyboard.press("Enter");
    await page.waitForURL(/filter=status/);
    assert.ok((await page.locator("#traces-rows tr").count()) >= 1);
    assert.equal(await page.locator("#traces-rows tr:not(:has(.bad))").count(), 0);
    assert.deepEqual(faults, []);
  } finally {
    await close();
  }
});

test("a trace is opened by keyboard", async () => {
  const { page, faults, close } = await open(`${house.url}/traces`);
  try {
    await page.locator("#traces-rows tr").first().waitFor();
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.waitForURL(/traces\/[0-9a-f]{32}/);
    assert.deepEqual(faults, []);
  } finally {
    await close();
  }
});

test("pages work without JavaScript", async () => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  try {
    await page.goto(`${house.url}/traces`);
    assert.ok((await page.locator("#traces-rows tr").count()) >= 5);
    await page.goto(places["trace of a chat"]);
    assert.ok((await page.locator("body").innerText()).includes("count me"));
    await page.goto(places.source);
    assert.ok(await page.locator("mark").first().isVisible());
  } finally {
    await context.close();
  }
});
