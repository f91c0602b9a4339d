// What can be done with records in the browser: large traces, keys, charts, filters, views, ratings; also below a path.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { PHONE, below, browser, launch, open, samples, serious } from "./page.mjs";

const { hanok, eventually } = await import(`${process.env.HANOK_TESTS}/node/house.mjs`);

/** The most rows a page of a trace may hold, and the longest it may take from the first byte to being drawn. */
const MOST_ROWS = 2_000;
const PAINT_MS = 500;
const SHAPES = { many: 1, deep: 2, wide: 3 };

let house, proxy;
const large = (shape) => `/traces/${SHAPES[shape].toString(16).padStart(16, "0")}00000000000000a1`;

before(async () => {
  house = await hanok({ seed: samples });
  proxy = await below(house, "/x/");
  await launch();
});

after(async () => {
  await browser?.close();
  await proxy?.stop();
  await house?.stop();
});

const rows = (page) =>
  page.evaluate(() => {
    const current = document.querySelector('#tree .tr[aria-selected="true"]');
    return {
      count: document.querySelectorAll("#tree .tr").length,
      coming: document.querySelectorAll("#tree .ghost").length,
      current: current ? Number(current.dataset.at) : -1,
      stops: document.querySelectorAll('#tree .tr[tabindex="0"]').length,
    };
  });
const settled = (page, what, is) => eventually(async () => {
  const now = await rows(page);
  return now.coming === 0 && is(now);
}, what, 10_000);

for (const [where, base] of [["at the top", () => house.url], ["below a path", () => proxy.url]]) {
  describe(where, () => {
    for (const shape of Object.keys(SHAPES)) {
      test(`a trace of 20,000 spans is drawn at once and stays small: ${shape}`, async () => {
        const { page, faults, close } = await open(base() + large(shape));
        try {
          // The best of three: what else this machine does is not the page's.
          let best = { server: Infinity, paint: Infinity };
          for (let times = 0; times < 3; times++) {
            if (times > 0) await page.reload();
            const timing = await page.evaluate(async () => {
              const paint = () => performance.getEntriesByName("first-contentful-paint")[0];
              while (!paint()) await new Promise(requestAnimationFrame);
              const { requestStart, responseStart } = performance.getEntriesByType("navigation")[0];
              return { server: responseStart - requestStart, paint: paint().startTime - responseStart };
            });
            if (timing.paint < best.paint) best = timing;
          }
          console.log(`${shape}: answered in ${best.server.toFixed(0)} ms, painted ${best.paint.toFixed(0)} ms later`);
          assert.ok(best.paint <= PAINT_MS, `painted after ${best.paint} ms`);
          assert.equal(await page.locator("#tree").getAttribute("aria-rowcount"), "20001");
          const small = async () => {
            const { count, stops } = await rows(page);
            assert.ok(count > 0 && count <= MOST_ROWS, `${count} rows`);
            assert.ok(stops <= 1, `${stops} stops of the tab key`);
          };
          await settled(page, "the first rows", ({ count }) => count > 0);
          await small();
          await page.locator("#tree-scroll").focus();
          await page.keyboard.press("Home");
          await settled(page, "the first row", ({ current }) => current === 0);
          await page.keyboard.press("End");
          await settled(page, "the last row", ({ current }) => current === 19_999);
          await small();
          for (let share = 1; share < 8; share++) {
            await page.evaluate((share) => {
              const scroller = document.getElementById("tree-scroll");
              scroller.scrollTop = (scroller.scrollHeight * share) / 8;
            }, share);
            await settled(page, `rows at ${share}/8`, ({ count }) => count > 0);
            await small();
          }
          assert.deepEqual(faults, []);
        } finally {
          await close();
        }
      });
    }

    test("the tree by keyboard: fold, unfold, the next failed span, its pane", async () => {
      const { page, faults, close } = await open(base() + large("many"));
      try {
        await settled(page, "the rows", ({ count }) => count > 0);
        await page.locator("#tree-scroll").focus();
        await page.keyboard.press("Home");
        await settled(page, "the first row", ({ current }) => current === 0);
        await page.keyboard.press("h");
        await settled(page, "folded", ({ count }) => count === 1);
        await page.keyboard.press("l");
        await settled(page, "unfolded", ({ count }) => count > 100);
        await page.keyboard.press("j");
        await settled(page, "one down", ({ current }) => current === 1);
        await page.keyboard.press("e");
        await settled(page, "a failed one", ({ current }) => current > 1);
        const failed = page.locator('#tree .tr[aria-selected="true"]');
        assert.equal(await failed.locator(".tr-n > .k-err").count(), 1);
        const name = await failed.locator(".nm").innerText();
        await eventually(async () => (await page.locator("#pane h2").first().innerText()).trim() === name.trim(), "its pane");
        assert.match(page.url(), /span=[0-9a-f]{16}/);
        await page.reload();
        await settled(page, "the same row again", ({ current }) => current > 1);
        assert.deepEqual(await serious(page), []);
        assert.deepEqual(faults, []);
      } finally {
        await close();
      }
    });

    test("a session is read as a conversation and left for its turns", async () => {
      const { page, faults, close } = await open(`${base()}/sessions`);
      try {
        await page.keyboard.press("j");
        await page.keyboard.press("Enter");
        await page.waitForURL(/sessions\/ticket-/);
        assert.ok((await page.locator("main").innerText()).includes("90 days"));
        await page.locator(".turn h2 a").first().click();
        await page.waitForURL(/traces\/[0-9a-f]{32}/);
        const back = page.locator('.sum a[href*="sessions/"]');
        assert.equal(await back.count(), 1);
        await back.click();
        await page.waitForURL(/sessions\/ticket-/);
        assert.deepEqual(faults, []);
      } finally {
        await close();
      }
    });

    test("a chart under the keys leads to its traces", async () => {
      const { page, faults, close } = await open(`${base()}/costs?range=30d`);
      try {
        const chart = page.locator("[data-chart]").first();
        assert.equal(await chart.locator('a.hit[tabindex="0"]').count(), 1);
        await chart.locator('a.hit[tabindex="0"]').focus();
        const said = page.locator("[data-said]").first();
        const last = await said.innerText();
        await page.keyboard.press("ArrowLeft");
        await eventually(async () => (await said.innerText()) !== last, "another point is told of");
        await page.keyboard.press("End");
        await eventually(async () => (await said.innerText()) === last, "the last one again");
        await page.keyboard.press("Enter");
        await page.waitForURL(/traces\?filter=since/);
        await page.locator("#traces-rows tr").first().waitFor();
        assert.equal(await page.locator(".note-err").count(), 0);
        assert.deepEqual(faults, []);
      } finally {
        await close();
      }
    });

    test("the filter completes itself, and is kept as a view", async () => {
      const { page, faults, close } = await open(`${base()}/traces`);
      try {
        await page.keyboard.press("/");
        await page.keyboard.type("stat");
        await page.keyboard.press("ArrowDown");
        await page.keyboard.press("Enter");
        assert.equal(await page.locator("#filter-q").inputValue(), "status:");
        await page.keyboard.type("er");
        await page.keyboard.press("ArrowDown");
        assert.deepEqual(await serious(page), []);
        await page.keyboard.press("Tab");
        assert.equal(await page.locator("#filter-q").inputValue(), "status:error ");
        await page.keyboard.press("Enter");
        await page.waitForURL(/filter=status/);
        await page.locator("#views-open").click();
        await page.locator("#views-save input").fill("Only errors");
        await page.keyboard.press("Enter");
        const view = page.locator("#views-list li", { hasText: "Only errors" });
        await view.waitFor();
        await page.goto(`${base()}/traces`);
        await page.locator("#views-open").click();
        await view.waitFor();
        assert.deepEqual(await serious(page), []);
        await view.locator("button").click();
        await view.waitFor({ state: "detached" });
        assert.deepEqual(faults, []);
      } finally {
        await close();
      }
    });

    test("a rating is kept and can be changed", async () => {
      const { turns } = await (await fetch(`${house.url}/api/sessions/ticket-7005`)).json();
      const { page, faults, close } = await open(`${base()}/traces/${turns[0].trace_id}`);
      try {
        await page.locator('[data-rate="1"]').click();
        await page.locator('[data-rate="1"][aria-pressed="true"]').waitFor();
        await page.locator('[data-rate="-1"]').click();
        await page.locator('[data-rate="-1"][aria-pressed="true"]').waitFor();
        await page.reload();
        await page.locator('[data-rate="-1"][aria-pressed="true"]').waitFor();
        assert.equal(await page.locator(".sum .badge", { hasText: "rating" }).count(), 1);
        assert.deepEqual(faults, []);
      } finally {
        await close();
      }
    });
  });
}

test("without script a large trace is gone through in parts", async () => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  try {
    await page.goto(`${house.url}${large("many")}?from=0`);
    assert.equal(await page.locator("#tree .tr").count(), 120);
    await page.locator("#tree-more a").last().click();
    await page.waitForURL(/from=120/);
    await page.locator("#tree .tr a.nm").nth(3).click();
    await page.waitForURL(/span=/);
    await page.goto(`${house.url}/costs?range=30d`);
    assert.ok((await page.locator(".chart a.hit").count()) > 20);
  } finally {
    await context.close();
  }
});

test("on a phone the tree of a large trace leaves room for its pane", async () => {
  const { page, faults, close } = await open(house.url + large("many"), { viewport: PHONE });
  try {
    await settled(page, "the rows", ({ count }) => count > 0);
    const box = await page.locator("#pane").boundingBox();
    assert.ok(box.y < 1_600, `the pane begins at ${box.y}`);
    assert.deepEqual(faults, []);
  } finally {
    await close();
  }
});

test("single letters rest when they are turned off", async () => {
  const { page, faults, close } = await open(`${house.url}/settings`);
  try {
    await page.locator('[data-letters="off"]').click();
    await page.locator('[data-letters="off"][aria-pressed="true"]').waitFor();
    await page.goto(`${house.url}/traces`);
    await page.locator("#traces-rows tr").first().waitFor();
    await page.keyboard.press("j");
    assert.equal(await page.locator('#traces-rows tr[aria-selected="true"]').count(), 0);
    assert.deepEqual(faults, []);
  } finally {
    await close();
  }
});
