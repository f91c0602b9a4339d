// What can be done with experiments and datasets in the browser, with those that `hanok eval run` made.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { browser, launch, open, whole } from "./page.mjs";

const { hanok } = await import(`${process.env.HANOK_TESTS}/node/house.mjs`);

const RIGHT = "Refund the damaged item. The shipping fee stays.";
const WRONG = "Refund the damaged item and everything else.";

// Of forty rows, B gets six wrong that A had right, and none right that A had wrong.
const rows = Array.from({ length: 40 }, (_, n) => ({
  id: `s-${n}`,
  input: { question: n % 2 ? `What about order ${n}?` : `주문 ${n}번은 어떻게 되나요?`, a: n < 30 ? RIGHT : WRONG, b: n < 24 ? RIGHT : WRONG },
  expected: "shipping fee",
  metadata: { split: n % 4 ? "train" : "test" },
}));

const spec = (template) => `dataset = "support.jsonl"\n[task]\nkind = "echo"\ntemplate = "${template}"\n[[scorers]]\nkind = "contains"\n`;

let house, fresh;

before(async () => {
  [house, fresh] = await Promise.all([
    hanok({
      seed: async (data) => {
        const folder = join(data, "../evals");
        await mkdir(folder, { recursive: true });
        await writeFile(join(folder, "support.jsonl"), rows.map((row) => JSON.stringify(row)).join("\n"));
        for (const template of ["{{a}}", "{{b}}"]) {
          await writeFile(join(folder, "support.toml"), spec(template));
          execFileSync(process.env.HANOK_BIN, ["eval", "run", join(folder, "support.toml"), "--data", data], { cwd: join(data, ".."), stdio: "ignore" });
        }
      },
    }),
    hanok(),
  ]);
  await launch();
});
after(async () => {
  await browser?.close();
  await Promise.all([house?.stop(), fresh?.stop()]);
});

const PAGES = {
  experiments: "/experiments",
  experiment: "/experiments/2",
  compare: "/experiments/compare?a=1&b=2",
  choose: "/experiments/compare",
  datasets: "/datasets",
  dataset: "/datasets/support.jsonl",
};

whole("evals", Object.fromEntries(Object.entries(PAGES).map(([name, place]) => [name, () => house.url + place])));

test("a comparison names what got worse and opens on it", async () => {
  const { page, faults, close } = await open(`${house.url}/experiments/compare?a=1&b=2`);
  try {
    assert.match(await page.locator(".verdict").innerText(), /contains is worse in B: −15\.0 points/);
    assert.equal(await page.locator("#samples .seg [aria-current]").textContent(), "Regressions 6");
    assert.equal(await page.locator("tr.sample").count(), 6);
    assert.equal(await page.locator("tr.detail:visible").count(), 1);
    assert.ok((await page.locator("tr.detail:visible del").count()) > 0);
    await page.getByRole("link", { name: "Swap A and B" }).click();
    await page.waitForURL(/a=2&b=1/);
    assert.equal(await page.locator("#samples .seg [aria-current]").textContent(), "Regressions 0");
    assert.deepEqual(faults, []);
  } finally {
    await close();
  }
});

test("samples open and shut by keys, and g e leads back", async () => {
  const { page, faults, close } = await open(`${house.url}/experiments/2?only=low&score=contains`);
  try {
    assert.equal(await page.locator("tr.sample").count(), 16);
    await page.keyboard.press("j");
    await page.keyboard.press("l");
    assert.equal(await page.locator("tr.detail:visible").count(), 1);
    await page.keyboard.press("h");
    assert.equal(await page.locator("tr.detail:visible").count(), 0);
    await page.keyboard.press("g");
    await page.keyboard.press("e");
    await page.waitForURL(/\/experiments$/);
    assert.deepEqual(faults, []);
  } finally {
    await close();
  }
});

test("rows of a dataset are found by split and by text", async () => {
  const { page, faults, close } = await open(`${house.url}/datasets/support.jsonl`);
  try {
    await page.locator('select[name="split"]').selectOption("test");
    await page.locator("#rows form button").click();
    await page.waitForURL(/split=test/);
    assert.equal(await page.locator("tr.sample").count(), 10);
    await page.locator("#filter-q").fill("s-36");
    await page.keyboard.press("Enter");
    await page.waitForURL(/q=s-36/);
    assert.equal(await page.locator("tr.sample").count(), 1);
    assert.deepEqual(faults, []);
  } finally {
    await close();
  }
});

test("where nothing was run a page says what to do", async () => {
  const { page, close } = await open(`${fresh.url}/experiments`);
  try {
    assert.match(await page.locator("main").innerText(), /hanok eval run/);
    await page.goto(`${fresh.url}/datasets`);
    assert.match(await page.locator("main").innerText(), /hanok dataset add/);
  } finally {
    await close();
  }
});

test("samples are read without JavaScript, too", async () => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  try {
    await page.goto(`${house.url}/experiments/compare?a=1&b=2`);
    assert.equal(await page.locator("tr.detail:visible").count(), 6);
  } finally {
    await context.close();
  }
});
