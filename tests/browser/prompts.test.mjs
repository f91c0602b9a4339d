// Prompts in the browser: the list, one prompt, the playground; at the top and below a path.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { below, browser, launch, open, serious, whole } from "./page.mjs";

const { eventually, hanok, providers, upstream } = await import(`${process.env.HANOK_TESTS}/node/house.mjs`);

const ANSWER = `---
description: Answers a ticket
model: fast
config:
  temperature: 0.7
input:
  schema:
    ticket: string, what the customer wrote
---
{{role "system"}}
You answer tickets.
{{role "user"}}
{{ticket}}
`;
const BROKEN = "---\nmodel: fast\n---\nHello {{#if name}}\n";

let above, house, fresh, proxy;

before(async () => {
  above = await upstream();
  const seed = async (data) => {
    for (const folder of ["prompts", "datasets"]) await mkdir(join(data, "..", folder), { recursive: true });
    await writeFile(join(data, "../prompts/answer.prompt"), ANSWER);
    await writeFile(join(data, "../prompts/broken.prompt"), BROKEN);
    const rows = [1, 2, 3].map((n) => JSON.stringify({ input: { ticket: `Where is parcel ${n}?` }, expected: "On its way" }));
    await writeFile(join(data, "../datasets/tickets.jsonl"), rows.join("\n"));
    const stored = [["Stored one?", "One"], ["Stored two?", "Two"]].map(([ticket, expected]) => JSON.stringify({ input: { ticket }, expected }));
    await writeFile(join(data, "../stored.jsonl"), stored.join("\n"));
    execFileSync(process.env.HANOK_BIN, ["dataset", "add", "stored", "--file", "stored.jsonl", "--data", data], { cwd: join(data, ".."), stdio: "ignore" });
  };
  [house, fresh] = await Promise.all([hanok({ config: providers(above), seed }), hanok()]);
  proxy = await below(house, "/x/");
  // Two versions, and a label that is behind.
  const call = (place, method, body) => fetch(`${house.url}/api/prompts/answer${place}`, { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  await call("/labels", "POST", { label: "production", to: "latest" });
  await call("", "PUT", { source: ANSWER.replace("0.7", "0.2") });
  // What the file's version was scored: by an experiment, and by people.
  const rows = '{ input = { ticket = "Where is it?" } }, { input = { ticket = "Is it blue?" } }, { input = { ticket = "환불해 주세요" } }';
  const scorer = (name, value) => `[[scorers]]\nkind = "contains"\nname = "${name}"\nvalue = "${value}"\n`;
  await writeFile(join(house.folder, "tickets.toml"), `dataset = { rows = [${rows}] }\n[task]\nkind = "prompt"\nprompt = "answer"\n${scorer("asks back", "?")}${scorer("short", "")}${scorer("names the parcel", "parcel")}`);
  execFileSync(process.env.HANOK_BIN, ["eval", "run", "tickets.toml"], { cwd: house.folder, stdio: "ignore" });
  const called = await fetch(`${house.url}/v1/chat/completions`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ model: "prompt/answer", messages: [], metadata: { ticket: "x" } }) });
  const score = { trace_id: called.headers.get("x-hanok-trace-id"), name: "helpful", value: true };
  await eventually(async () => (await fetch(`${house.url}/api/scores`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(score) })).ok, "the score");
  await launch();
});
after(async () => {
  await browser?.close();
  await proxy?.stop();
  await house?.stop();
  await fresh?.stop();
  await above?.stop();
});

for (const [where, base] of [["at the top", () => house.url], ["below a path", () => proxy.url]]) {
  const PAGES = {
    prompts: () => `${base()}/prompts`,
    prompt: () => `${base()}/prompts/answer`,
    "prompt compared": () => `${base()}/prompts/answer?from=production&to=latest`,
    "prompt edited": () => `${base()}/prompts/answer?edit=1`,
    "prompt broken": () => `${base()}/prompts/broken`,
    playground: () => `${base()}/playground?prompt=answer`,
    ...(where === "at the top" ? { "no prompts": () => `${fresh.url}/prompts`, "playground of nothing": () => `${fresh.url}/playground` } : {}),
  };
  describe(where, () => {
    whole(where === "at the top" ? "prompts" : undefined, PAGES);

    test("a prompt is made, edited, labelled and rolled back", async () => {
      const name = where === "at the top" ? "made" : "made/below";
      const { page, faults, close } = await open(`${base()}/traces`);
      try {
        await page.keyboard.press("g");
        await page.keyboard.press("p");
        await page.waitForURL(/\/prompts$/);
        await page.keyboard.press("n");
        await page.keyboard.type(name);
        await page.fill("#source", "---\nmodel: fast\n---\nHello {{name}}\n");
        await page.click("#new button[type=submit]");
        await page.waitForURL(/\/prompts\/made/);
        const first = (await page.locator(".figures dd.mono").textContent()).trim();
        await page.fill("input[name=label]:not([type=hidden])", "production");
        await page.click("form:has(input[list=usual-labels]) button");
        await page.waitForSelector(".label-row");
        await page.keyboard.press("e");
        await page.waitForURL(/edit=1/);
        await page.fill("#source", "---\nmodel: fast\n---\nGood day {{name}}\n");
        await page.keyboard.press("Control+Enter");
        await page.waitForURL((url) => !url.search);
        assert.equal(await readFile(join(house.folder, `prompts/${name}.prompt`), "utf8"), "---\nmodel: fast\n---\nGood day {{name}}\n");
        assert.match(await page.locator(".finding").textContent(), new RegExp(`production stands at ${first}, not at the file`));
        await page.click("button:text-is('Compare')");
        await page.waitForURL(/from=/);
        assert.equal(await page.locator(".lines li.gone .t").textContent(), "Hello {{name}}");
        assert.equal(await page.locator(".lines li.come .t").textContent(), "Good day {{name}}");
        await page.click(".label-row button:text-is('Move')");
        await page.waitForSelector(`button:text-is('Roll back to ${first}')`);
        await page.click(`button:text-is('Roll back to ${first}')`);
        await eventually(async () => (await page.locator(".label-row a.mono").textContent()) === first, "the label's way back");
        assert.deepEqual(faults, []);
      } finally {
        await close();
      }
    });

    test("a version shows what it was scored", async () => {
      const { page, faults, close } = await open(`${base()}/prompts/answer`);
      try {
        const scores = page.locator("section:has(#scores)");
        assert.match(await scores.textContent(), /asks back.*tickets #1.*66\.7 %.*helpful.*Live calls.*100\.0 %/s);
        await scores.getByText("tickets #1").first().click();
        await page.waitForURL(/experiments\/1$/);
        assert.deepEqual(faults, []);
      } finally {
        await close();
      }
    });

    test("sides run at once, drafts are filled in, rows make a table", async () => {
      const { page, faults, close } = await open(`${base()}/playground?prompt=answer`);
      try {
        await page.fill("#var-ticket", "Where is my parcel?");
        const second = page.locator(".side").nth(1);
        await second.locator("summary").first().click();
        await second.locator("[data-source]").fill("---\nmodel: fast\n---\nIn {{language}}: {{ticket}}");
        await page.fill("#var-language", "Korean");
        assert.ok(await second.locator("[data-edited]").isVisible());
        await page.keyboard.press("Control+Enter");
        for (const side of await page.locator(".side").all()) await side.locator("[data-meta] a").waitFor();
        assert.match(await page.locator("[data-answer]").nth(0).textContent(), /Where is my parcel\?/);
        assert.match(await page.locator("[data-answer]").nth(1).textContent(), /In Korean: Where is my parcel\?/);
        await page.fill("#dataset", "tickets");
        await page.fill("#count", "2");
        await page.click("#run-rows");
        await eventually(async () => (await page.locator("#results-state").textContent()) === "4 of 4 answers", "the answers");
        assert.match(await page.locator("#results td").nth(2).textContent(), /Where is parcel 1\?/);
        assert.deepEqual(await serious(page), []);
        assert.deepEqual(faults, []);
      } finally {
        await close();
      }
    });

    test("a draft is asked what the saved prompt would be, with tools and rows of the store", async () => {
      const { page, faults, close } = await open(`${base()}/playground?prompt=answer`);
      try {
        await page.locator(".side").nth(1).locator("[data-remove]").click();
        const side = page.locator(".side");
        await side.locator("summary").first().click();
        await side.locator("[data-source]").fill("---\nmodel: fast\nhanok.examples: {dataset: stored, count: 1}\n---\n{{ticket}}");
        await page.fill("#var-ticket", "Is it blue?");
        await page.locator("#play-form summary").click();
        await page.fill("#tools", JSON.stringify([{ name: "look", parameters: { type: "object", properties: {} } }]));
        await fetch(`${above.url}/_requests`, { method: "DELETE" });
        await page.click("#run");
        await side.locator("[data-meta] a").waitFor();
        const [sent] = (await (await fetch(`${above.url}/_requests`)).json()).map(({ body }) => JSON.parse(Buffer.from(body, "base64").toString()));
        assert.deepEqual(sent.messages.map(({ content }) => content), ["Stored one?", "One", "Is it blue?"]);
        assert.equal(sent.tools[0].function.name, "look");
        const trace = await side.locator("[data-meta] a").getAttribute("href");
        const recorded = async () => (await fetch(`${house.url}/api/traces/${trace.split("/").at(-1)}`)).text();
        await eventually(async () => /"hanok.prompt.version":\s*"draft"/.test(await recorded()), "the trace of a draft");
        await page.fill("#dataset", "stored");
        await page.fill("#count", "2");
        await page.click("#run-rows");
        await eventually(async () => (await page.locator("#results-state").textContent()) === "2 of 2 answers", "the answers");
        assert.match(await page.locator("#results").textContent(), /Stored two\?/);
        assert.deepEqual(faults, []);
      } finally {
        await close();
      }
    });

    test("a text of one's own is run with an image, and saved as a version", async () => {
      const name = where === "at the top" ? "seen" : "seen/below";
      const { page, faults, close } = await open(`${base()}/playground?prompt=answer`);
      try {
        await fetch(`${above.url}/_requests`, { method: "DELETE" });
        await page.locator(".side").nth(0).locator("[data-remove]").click();
        const side = page.locator(".side");
        await side.locator("[data-prompt]").selectOption("");
        await side.locator("[data-source]").fill("---\nmodel: fast\n---\nLook: {{media url=photo}} {{what}}");
        await page.fill("#var-what", "What is it?");
        await page.locator(".field:has(#var-photo) input[type=file]").setInputFiles({ name: "dot.png", mimeType: "image/png", buffer: Buffer.from("iVBORw0KGgo=", "base64") });
        await page.locator(".field:has(#var-photo)").getByText("dot.png").waitFor();
        await page.click("#run");
        await side.locator("[data-meta] a").waitFor();
        const sent = await (await fetch(`${above.url}/_requests`)).json();
        assert.match(JSON.stringify(sent.map(({ body }) => Buffer.from(body, "base64").toString())), /data:image\/png;base64,iVBORw0KGgo=/);
        await side.locator("[data-save]").click();
        assert.match(await side.locator("[data-notes]").textContent(), /Give the prompt a name/);
        await side.locator("[data-name]").fill(name);
        await side.locator("[data-save]").click();
        await page.locator("#toasts").getByText("Saved as version").waitFor();
        assert.equal(await side.locator("[data-prompt]").inputValue(), name);
        assert.match(await readFile(join(house.folder, `prompts/${name}.prompt`), "utf8"), /^---\nmodel: fast\n---\nLook: /);
        // Saved, it is called as any client calls it.
        await page.click("#run");
        await eventually(async () => /prompt\/seen/.test(await side.locator("[data-meta]").textContent()), "the saved prompt's answer");
        assert.deepEqual(faults, []);
      } finally {
        await close();
      }
    });
  });
}
