// What can be done with documents in the browser: collections, searches, chunks; at the top and below a path.

import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { below, browser, launch, open, serious, whole } from "./page.mjs";

const { hanok, eventually } = await import(`${process.env.HANOK_TESTS}/node/house.mjs`);

// A table, code and Korean: what cuts must not go through, and what a fixed size does go through.
const REFUNDS = `# Refunds

Refunds for a change of mind must be requested within 30 days of delivery. The day of delivery counts as day zero, whoever signed for the parcel.

## Damaged items

An item that arrived damaged can be refunded up to 90 days after delivery. The same window applies when the outer packaging is intact.

Ask for at least one photo of the damage and one of the shipping label. Video does not replace either photo. If the photos have not arrived after 7 days, close the ticket and tell the customer it reopens by itself when they reply.

## Amounts

| Order total | Return shipment | Approval |
|---|---|---|
| under $40 | none | agent |
| $40 to $200 | collected by us | agent |
| over $200 | collected by us | shift lead |

Shipping is refunded only when every item of the order is refunded.

## 파손된 상품

파손된 상품은 배송 후 90일 안에 환불할 수 있습니다. 사진이 두 장 필요합니다.
`;

let house, fresh, proxy, refunds;

before(async () => {
  [house, fresh] = await Promise.all([
    hanok({
      library: true,
      seed: async (data) => {
        const docs = join(data, "../docs/handbook");
        await mkdir(docs, { recursive: true });
        await writeFile(join(docs, "refunds.md"), REFUNDS);
        // Not UTF-8: it cannot be taken, and is named.
        await writeFile(join(docs, "broken.md"), Buffer.from([0x48, 0xff, 0xfe, 0x00, 0x80, 0x0a]));
      },
    }),
    hanok(),
  ]);
  proxy = await below(house, "/x/");
  refunds = await eventually(async () => {
    const { sources } = await (await fetch(`${house.url}/api/sources?collection=default&limit=1000`)).json();
    return sources.find(({ source }) => source.endsWith("handbook/refunds.md"));
  }, "the document");
  await launch();
});

after(async () => {
  await browser?.close();
  await proxy?.stop();
  await house?.stop();
  await fresh?.stop();
});

for (const [where, base] of [["at the top", () => house.url], ["below a path", () => proxy.url]]) {
  const PAGES = {
    knowledge: () => `${base()}/knowledge`,
    collection: () => `${base()}/knowledge/default`,
    "search to begin": () => `${base()}/search`,
    search: () => `${base()}/search?q=${encodeURIComponent("damaged item refund photo")}`,
    "search without hits": () => `${base()}/search?q=${encodeURIComponent("zyxwv qqqq")}`,
    document: () => `${base()}/sources/${refunds.id}`,
    chunks: () => `${base()}/sources/${refunds.id}/chunks`,
    "chunks of 48 tokens": () => `${base()}/sources/${refunds.id}/chunks?by=tokens&size=48&overlap=10`,
    "chunks with parents": () => `${base()}/sources/${refunds.id}/chunks?by=sentence&size=32&overlap=0&parents=merged`,
    "chunks wrongly set": () => `${base()}/sources/${refunds.id}/chunks?by=tokens&size=3`,
    ...(where === "at the top" ? { "knowledge of nothing": () => `${fresh.url}/knowledge` } : {}),
  };
  describe(where, () => {
    whole(where === "at the top" ? "documents" : undefined, PAGES);

    test("from the rail to a hit and its place by keyboard", async () => {
      const { page, faults, close } = await open(`${base()}/traces`);
      try {
        await page.keyboard.press("g");
        await page.keyboard.press("k");
        await page.waitForURL(/\/knowledge$/);
        await page.keyboard.press("/");
        await page.keyboard.type("damaged item photo");
        await page.keyboard.press("Enter");
        await page.waitForURL(/search\?q=damaged/);
        const first = page.locator("#list-rows > tr").first();
        assert.match(await first.innerText(), /refunds\.md/);
        await page.keyboard.press("j");
        await page.keyboard.press("Enter");
        await page.waitForURL(/sources\/[0-9a-f]{16}/);
        assert.ok(await page.locator("mark").first().isVisible());
        assert.deepEqual(faults, []);
      } finally {
        await close();
      }
    });

    test("a search leads to its trace", async () => {
      const { page, faults, close } = await open(PAGES.search());
      try {
        const link = page.locator('.results a[href*="traces/"]');
        const id = (await link.getAttribute("href")).match(/[0-9a-f]{32}/)[0];
        await eventually(async () => (await fetch(`${house.url}/api/traces/${id}`)).ok, "the trace");
        await link.click();
        await page.waitForURL(/traces\/[0-9a-f]{32}/);
        assert.match(await page.locator("main").innerText(), /retrieval/);
        assert.deepEqual(faults, []);
      } finally {
        await close();
      }
    });

    test("turning a knob cuts the document again", async () => {
      const { page, faults, close } = await open(PAGES.chunks());
      try {
        const used = page.locator('section[aria-labelledby="used"]');
        const tried = page.locator("#tried");
        const before = await used.locator(".ckdoc").innerText();
        await page.locator("#knobs [name=by]").selectOption("tokens");
        await page.locator("#knobs [name=size]").fill("48");
        await page.locator("#knobs [name=overlap]").fill("10");
        await page.waitForURL(/by=tokens.*size=48.*overlap=10/);
        await tried.getByText("1 table cut").waitFor();
        assert.ok((await tried.locator(".ov").count()) > 0, "what is said twice is hatched");
        assert.ok((await tried.locator(".ckn").count()) > (await used.locator(".ckn").count()));
        assert.equal(await used.locator(".ckdoc").innerText(), before);
        assert.equal(await page.evaluate(() => document.activeElement.name), "overlap");
        await page.locator("#knobs [name=by]").selectOption("structure");
        await tried.getByText("tables whole").waitFor();
        await page.locator("#knobs [name=size]").fill("48");
        await page.locator("#knobs [name=overlap]").fill("40");
        await tried.locator(".note-err").waitFor();
        await page.reload();
        await page.locator("#tried .note-err").waitFor();
        assert.equal(await page.locator("#knobs [name=by]").inputValue(), "structure");
        assert.deepEqual(await serious(page), []);
        assert.deepEqual(faults, []);
      } finally {
        await close();
      }
    });

    test("a file that could not be taken is named with the reason", async () => {
      const { page, faults, close } = await open(`${base()}/knowledge/default`);
      try {
        const row = page.locator("#failures tbody tr", { hasText: "broken.md" });
        assert.equal(await row.count(), 1);
        assert.ok((await row.locator("td").nth(1).innerText()).length > 5);
        await page.locator("[name=under]").fill((await page.locator("#list-rows a").first().innerText()).slice(0, 0) + "no/such");
        await page.keyboard.press("Enter");
        await page.waitForURL(/under=no/);
        assert.equal(await page.locator("#list-rows tr").count(), 0);
        assert.deepEqual(faults, []);
      } finally {
        await close();
      }
    });
  });
}

test("the API cuts a text for a look and stores nothing", async () => {
  const cut = async (body) => {
    const answer = await fetch(`${house.url}/api/chunks/preview`, {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
    });
    return [answer.status, await answer.json()];
  };
  const [status, said] = await cut({ text: REFUNDS, layout: "markdown", chunking: { by: "tokens", size: 48, overlap: 10 } });
  assert.equal(status, 200);
  const bytes = Buffer.from(REFUNDS);
  assert.equal(said.bytes, bytes.length);
  assert.ok(said.chunks.length > 5 && said.tables_cut === 1, JSON.stringify(said));
  for (const { start, end, tokens } of said.chunks) assert.ok(start < end && end <= bytes.length && tokens > 0);
  const [, same] = await cut({ source_id: refunds.id });
  assert.equal(same.chunks.length, refunds.chunks);
  assert.equal((await cut({ text: "x", chunking: { size: 1 } }))[0], 400);
  assert.equal((await cut({ text: "x", source_id: refunds.id }))[0], 400);
  assert.equal((await cut({ source_id: "0000000000000000" }))[0], 404);
});

test("a document is deleted by its page, and is found no more", async () => {
  const find = async () => (await (await fetch(`${house.url}/api/search`, {
    method: "POST", headers: { "content-type": "application/json" },
    body: JSON.stringify({ query: "conveyor belt", collection: "default" }),
  })).json()).hits;
  const [hit] = await find();
  const { page, faults, close } = await open(`${house.url}/sources/${hit.source_id}`);
  try {
    await page.locator("details.confirm > summary").click();
    await page.keyboard.press("Escape");
    assert.equal(await page.locator("details.confirm[open]").count(), 0);
    await page.locator("details.confirm > summary").click();
    await page.locator("details.confirm form button").click();
    await page.waitForURL(/knowledge\/default/);
    assert.ok(!(await find()).some(({ source_id }) => source_id === hit.source_id));
    assert.equal((await fetch(`${house.url}/api/sources/${hit.source_id}`)).status, 404);
    assert.deepEqual(faults, []);
  } finally {
    await close();
  }
});

test("pages of documents work without JavaScript", async () => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  try {
    await page.goto(`${house.url}/sources/${refunds.id}/chunks?by=sentence&size=32&overlap=0`);
    assert.ok((await page.locator("#tried .ckn").count()) > 3);
    await page.goto(`${house.url}/search?q=damaged`);
    assert.ok((await page.locator("#list-rows > tr").count()) > 0);
  } finally {
    await context.close();
  }
});
