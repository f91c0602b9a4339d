// Judges and people's labels in the browser: judges that `hanok judge check` held against labels, and queues that are
// labelled by keys, by touch and without JavaScript.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { PHONE, browser, launch, open, whole } from "./page.mjs";

const { eventually, hanok } = await import(`${process.env.HANOK_TESTS}/node/house.mjs`);

// What each of the scripted judges says of what it is shown.
const BLOCK = /<<<(answer(?: [AB])?) ([0-9a-f]{16})>>>\n(.*?)\n<<<end of \1 \2>>>/gs;
function verdict(model, shown) {
  const blocks = Object.fromEntries([...shown.matchAll(BLOCK)].map(([, name, , text]) => [name, text]));
  if ("answer A" in blocks) {
    if (model === "first") return "A";
    const [a, b] = ["A", "B"].map((name) => blocks[`answer ${name}`].includes("right"));
    return a === b ? "tie" : a ? "A" : "B";
  }
  const answer = blocks.answer;
  if (model === "yes") return "pass";
  if (model === "guess") return Buffer.from(answer).reduce((sum, byte) => sum + byte, 0) % 2 ? "pass" : "fail";
  return answer.includes("right") ? "pass" : "fail";
}

async function judges() {
  const server = createServer(async (request, response) => {
    if (request.method !== "POST") return void response.writeHead(404).end();
    const parts = [];
    for await (const part of request) parts.push(part);
    const { model, messages } = JSON.parse(Buffer.concat(parts));
    const content = JSON.stringify({ reasoning: "as the rubric says", verdict: verdict(model, messages.at(-1).content) });
    const head = { id: "c", created: 1, model, object: "chat.completion.chunk" };
    const chunks = [{ choices: [{ index: 0, delta: { role: "assistant", content }, finish_reason: null }] }, { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }];
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end([...chunks.map((chunk) => JSON.stringify({ ...head, ...chunk })), "[DONE]"].map((data) => `data: ${data}\n\n`).join(""));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

const NAMES = ["good", "yes", "first", "guess", "changed", "new"];
const table = (name) => `\n[[scorers]]\nkind = "judge"\nname = "${name}"\nmodel = "mock/${name}"\nrubric = "Says right where it is right: ${name}."\n`;
const row = (...cells) => cells.join(",");
const LABELS = [
  row("id", "question", "answer", "other", "label:ann", "label:ben", "comment:ann"),
  ...Array.from({ length: 40 }, (_, n) => {
    const label = n % 4 ? "pass" : "fail";
    return row(n, `Is order ${n} so?`, `${n % 4 ? "right" : "wrong"} ${n * 7}: 배송비는 남습니다`, "wrong as well", label, n === 4 ? "pass" : label, "as it is");
  }),
].join("\n");
const item = (n, more = {}) => JSON.stringify({ id: `secret-${n}`, question: `Where is parcel ${n}?`, answer: `Answer number ${n}`, reference: "On its way", model: "secret-model", ...more });

let upstream, house, fresh;

before(async () => {
  upstream = await judges();
  const config = `[providers.mock]\ndialect = "openai-chat"\nbase_url = "http://127.0.0.1:${upstream.address().port}"\nkey = "env:MOCK_KEY"\n`;
  const seed = async (data) => {
    const folder = join(data, "..");
    const run = (...args) => promisify(execFile)(process.env.HANOK_BIN, args, { cwd: folder, env: { ...process.env, MOCK_KEY: "sk-mock" } });
    const file = join(folder, "evals/answers.toml");
    await mkdir(join(folder, "evals"));
    await writeFile(file, `dataset = { rows = [{ id = "1", input = "right" }, { id = "2", input = "wrong" }] }\ntask = { kind = "echo" }\n${NAMES.map(table).join("")}`);
    await writeFile(join(folder, "labels.csv"), LABELS);
    await run("eval", "run", "answers");
    await run("judge", "labels", "import", "answers", "labels.csv");
    for (const name of NAMES.slice(0, -1)) {
      await run("judge", "check", "answers", name, "--queue", "answers", "--rounds", "200", "--experiment", "1", ...(name === "changed" ? [] : ["--probe"]));
    }
    await writeFile(file, (await readFile(file, "utf8")).replace("it is right: changed", "it is right, and kind"));
    for (const [queue, rows] of [
      ["keyboard", [1, 2, 3, 4].map((n) => item(n))],
      ["touch", [1, 2].map((n) => item(n))],
      ["plain", [1, 2].map((n) => item(n))],
      ["looks", [1, 2, 3].map((n) => item(n))],
      ["differing", [item(1, { labels: { ann: { label: "pass", comment: "says it in other words" }, ben: "fail" } }), item(2, { labels: { ann: "pass", ben: "pass" } })]],
    ]) {
      await writeFile(join(folder, "rows.jsonl"), rows.join("\n"));
      await run("judge", "labels", "import", queue, "rows.jsonl", "--wanted", "2", "--instructions", "Does it follow the policy?");
    }
  };
  [house, fresh] = await Promise.all([hanok({ config, seed }), hanok()]);
  await launch();
});
after(async () => {
  await browser?.close();
  await Promise.all([house?.stop(), fresh?.stop()]);
  upstream?.close();
});

const PAGES = {
  judges: "/judges",
  good: "/judges/good",
  "always yes": "/judges/yes",
  "at chance": "/judges/guess",
  "flips with order": "/judges/first",
  stale: "/judges/changed",
  unchecked: "/judges/new",
  queues: "/annotation",
  "label as nobody": "/annotation/looks",
  label: "/annotation/looks?who=eve",
  settle: "/annotation/differing?who=eve&show=settle",
  labelled: "/annotation/differing?who=eve&show=done",
  "no judges": "/judges",
  "no queues": "/annotation",
};
whole("judges", Object.fromEntries(Object.entries(PAGES).map(([name, place]) => [name, () => (name.startsWith("no ") ? fresh : house).url + place])));

const text = (page) => page.locator("main").innerText();
const said = async (queue, who) => {
  const answer = await (await fetch(`${house.url}/api/annotations/${queue}/items?who=${who}`)).json();
  return answer.items.map(({ labels, outcome }) => ({ own: labels.find((label) => label.who === who && !label.settles), outcome, count: labels.length }));
};

test("judges that tell nothing stand first, and say so in words", async () => {
  const { page, faults, close } = await open(`${house.url}/judges`);
  try {
    assert.match(await text(page), /3 judges tell nothing or are led astray\. 1 judge has changed since it was checked\. 1 judge was never held against people\./);
    const names = await page.locator("#list-rows tr a .strong").allTextContents();
    assert.deepEqual(names.slice(0, 3).sort(), ["first", "guess", "yes"]);
    assert.deepEqual(names.slice(3).sort(), ["changed", "good", "new"]);
    for (const [name, words] of [
      ["yes", "This judge says “pass” of everything. It tells nothing."],
      ["guess", "This judge is not shown to be better than chance. It tells nothing."],
      ["first", "Which of two answers it prefers hangs on their order: 40 of 40 flip."],
      ["good", "This judge agrees with people on all 39 answers."],
    ]) {
      await page.goto(`${house.url}/judges/${name}`);
      assert.equal(await page.locator(".verdict > p").first().innerText(), words);
    }
    await page.goto(`${house.url}/judges/yes`);
    assert.match(await text(page), /Not corrected: this judge is not shown to be better than chance/);
    await page.goto(`${house.url}/judges/changed`);
    assert.match(await page.locator(".note-warn").innerText(), /What is said here is of another judge[\s\S]*Rubric[\s\S]*it is right: changed[\s\S]*it is right, and kind/);
    assert.deepEqual(faults, []);
  } finally {
    await close();
  }
});

test("a judge's mistakes open by keys, with both reasons", async () => {
  const { page, faults, close } = await open(`${house.url}/traces`);
  try {
    await page.keyboard.press("g");
    await page.keyboard.press("j");
    await page.waitForURL(/\/judges$/);
    for (let presses = 0; presses < 6 && !(await page.locator("tr[aria-selected=true] a[href$=yes]").count()); presses += 1) await page.keyboard.press("j");
    await page.keyboard.press("o");
    await page.waitForURL(/\/judges\/yes$/);
    assert.equal(await page.locator(".cm .clash b").textContent(), "9");
    const rows = page.locator("#lenient tr.sample");
    assert.equal(await rows.count(), 9);
    await rows.first().click();
    assert.match(await page.locator("#lenient tr.detail:visible").innerText(), /as it is[\s\S]*as the rubric says/);
    await page.keyboard.press("j");
    await page.keyboard.press("l");
    assert.equal(await page.locator("#lenient tr.detail:visible").count(), 2);
    // What a probe changed opens the same way.
    await page.goto(`${house.url}/judges/first`);
    await page.locator("tr.sample", { hasText: "Order of two answers" }).click();
    assert.ok((await page.locator("tr.detail:visible tbody tr").count()) > 10);
    assert.deepEqual(faults, []);
  } finally {
    await close();
  }
});

test("answers are labelled by single keys, and the last verdict can be taken back", async () => {
  const { page, faults, close } = await open(`${house.url}/traces`);
  const answer = () => page.locator("#item .judged p").innerText();
  const shows = (n) => page.locator("#item .judged", { hasText: `number ${n}` }).waitFor();
  try {
    await page.keyboard.press("g");
    await page.keyboard.press("l");
    await page.waitForURL(/\/annotation$/);
    await page.goto(`${house.url}/annotation/keyboard`);
    await page.fill("#who", "hana-k");
    await page.keyboard.press("Enter");
    await page.waitForURL(/who=hana-k/);
    assert.equal(await answer(), "Answer number 1");
    await page.keyboard.press("2");
    await shows(2);
    // Taken back before anybody could see it.
    await page.keyboard.press("u");
    await shows(1);
    assert.deepEqual((await said("keyboard", "hana-k")).map(({ own }) => own), [undefined, undefined, undefined, undefined]);
    // With a note, whose letters are no keys.
    await page.keyboard.press("n");
    await page.keyboard.type("just passes");
    await page.keyboard.press("Escape");
    await page.keyboard.press("p");
    await shows(2);
    // The next verdict keeps the one before.
    await page.keyboard.press("f");
    await shows(3);
    await eventually(async () => (await said("keyboard", "hana-k"))[0].own, "the first label");
    assert.deepEqual((({ level, comment }) => [level, comment])((await said("keyboard", "hana-k"))[0].own), [1, "just passes"]);
    // A skipped one comes again at the end.
    await page.keyboard.press("s");
    await shows(4);
    await page.keyboard.press("j");
    await shows(3);
    await page.keyboard.press("k");
    await shows(4);
    assert.equal(await page.locator("[data-place]").innerText(), "1 of 2");
    await page.keyboard.press("1");
    await shows(3);
    await page.keyboard.press("1");
    await page.locator("#item .finding").waitFor();
    assert.match(await text(page), /Nothing is left for you here/);
    // What is held back is kept when the page is left.
    await page.goto(`${house.url}/annotation`);
    await eventually(async () => (await said("keyboard", "hana-k")).every(({ own }) => own), "all labels");
    assert.deepEqual((await said("keyboard", "hana-k")).map(({ own }) => own.level), [1, 0, 0, 0]);
    assert.deepEqual(faults, []);
  } finally {
    await close();
  }
});

test("nobody is shown what others said, and who differs is settled afterwards", async () => {
  const { page, faults, close } = await open(`${house.url}/annotation/keyboard?who=dan`);
  try {
    const waits = await page.content();
    for (const hidden of ["hana-k", "just passes", "secret-"]) assert.ok(!waits.includes(hidden), hidden);
    await page.goto(`${house.url}/annotation/differing?show=settle`);
    assert.match(await text(page), /ann said pass[\s\S]*says it in other words[\s\S]*ben said fail/);
    await page.keyboard.press("f");
    await page.locator("#item .finding").waitFor();
    await page.locator("nav.seg a", { hasText: "Done" }).click();
    await page.waitForURL(/show=done/);
    await eventually(async () => (await said("differing", "dan")).every(({ outcome }) => outcome), "the settled item");
    await page.reload();
    assert.match(await text(page), /dan settled it: fail/);
    assert.deepEqual(faults, []);
  } finally {
    await close();
  }
});

test("answers are labelled by touch on a phone", async () => {
  const { page, faults, close } = await open(`${house.url}/annotation/touch?who=eve`, { viewport: PHONE, touch: true });
  try {
    const pass = page.locator(".verdict-btn", { hasText: "pass" });
    const { height } = await pass.boundingBox();
    assert.ok(height >= 44, `${height} px`);
    await pass.tap();
    await page.locator("#item .judged", { hasText: "number 2" }).waitFor();
    await page.locator("[data-undo]:visible").tap();
    await page.locator("#item .judged", { hasText: "number 1" }).waitFor();
    await page.locator('[data-step="skip"]').tap();
    await page.locator("#item .judged", { hasText: "number 2" }).waitFor();
    await page.locator(".verdict-btn", { hasText: "fail" }).tap();
    await page.locator("#item .judged", { hasText: "number 1" }).waitFor();
    await page.locator(".verdict-btn", { hasText: "pass" }).tap();
    await page.locator("#item .finding").waitFor();
    // It is kept by itself after a moment, too.
    await eventually(async () => (await said("touch", "eve")).every(({ own }) => own), "both labels");
    assert.deepEqual((await said("touch", "eve")).map(({ own }) => own.level), [1, 0]);
    assert.deepEqual(faults, []);
  } finally {
    await close();
  }
});

test("answers are labelled without JavaScript, too", async () => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  try {
    await page.goto(`${house.url}/annotation/plain?who=fay`);
    await page.fill("#note", "so it is");
    await page.locator(".verdict-btn", { hasText: "pass" }).click();
    await page.waitForURL(/\/annotation\/plain$/);
    assert.match(await page.locator("#item .judged").innerText(), /number 2/);
    const [first] = await said("plain", "fay");
    assert.deepEqual([first.own.level, first.own.comment], [1, "so it is"]);
  } finally {
    await context.close();
  }
});
