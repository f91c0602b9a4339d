// One browser for a file of tests, and pages that note everything they should not do.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, request } from "node:http";
import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { chromium } from "playwright-core";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const SHOTS = process.env.HANOK_SHOTS;
export const WIDE = { width: 1280, height: 800 };
export const PHONE = { width: 390, height: 844 };

export let browser;
export async function launch() {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
}

// A page in a context of its own; `faults` is what went wrong on it.
export async function open(url, { lang = "en", theme = "light", viewport = WIDE, touch = false } = {}) {
  const context = await browser.newContext({ viewport, hasTouch: touch, locale: lang === "ko" ? "ko-KR" : "en-US", colorScheme: theme });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const faults = [];
  const allowed = new URL(url).origin;
  page.on("console", (message) => {
    // The browser itself notes the status of a page that is not there.
    const expected = url.endsWith("/nothing-here") && message.text().includes("404");
    if (["error", "warning"].includes(message.type()) && !expected) faults.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`uncaught: ${error}`));
  page.on("request", (request) => {
    const asked = new URL(request.url());
    if (asked.origin !== allowed && asked.protocol !== "data:") faults.push(`asked elsewhere: ${asked}`);
  });
  page.on("response", (response) => {
    if (response.status() >= 400 && response.url() !== url) faults.push(`${response.status()}: ${response.url()}`);
  });
  const response = await page.goto(url, { waitUntil: "load" });
  return { page, response, faults, close: () => context.close() };
}

// What axe calls serious or worse.
export async function serious(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return violations
    .filter((violation) => ["serious", "critical"].includes(violation.impact))
    .map((violation) => `${violation.id}: ${violation.help}: ${violation.nodes.map((node) => node.html).slice(0, 3).join(" | ")}`);
}

// Puts traces of 20,000 spans and a month of conversations into a data folder.
export async function samples(folder) {
  const [code] = await once(spawn(process.env.HANOK_SAMPLES, [folder, "20000", "120"], { stdio: "inherit" }), "exit");
  if (code !== 0) throw new Error(`the samples ended with ${code}`);
}

// The same server below a path, as a proxy in front of it would have it: `{ url, stop() }`.
export async function below(house, prefix) {
  const upstream = new URL(house.url);
  const server = createServer((incoming, outgoing) => {
    if (!incoming.url.startsWith(prefix)) return void outgoing.writeHead(404).end();
    const { method, headers } = incoming;
    const passed = request({ host: upstream.hostname, port: upstream.port, path: incoming.url.slice(prefix.length - 1), method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
    });
    passed.on("error", () => outgoing.destroy());
    outgoing.on("close", () => passed.destroy());
    incoming.pipe(passed);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}${prefix.slice(0, -1)}`,
    async stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

// Tests that each of these pages is whole in both languages and themes, wide and on a phone: it answers under a strict
// policy, nothing is asked of elsewhere, nothing overflows, and axe calls nothing serious. `pages` are functions that give
// URLs, by the pages' names. With HANOK_SHOTS=DIR, a picture of each that begins with the `room`, where one is named.
export function whole(room, pages, { status = {} } = {}) {
  for (const [name, url] of Object.entries(pages)) for (const lang of ["en", "ko"]) for (const theme of ["light", "dark"]) {
    test(`${name}, ${lang}, ${theme}`, async () => {
      const { page, response, faults, close } = await open(url(), { lang, theme });
      try {
        assert.equal(response.status(), status[name] ?? 200);
        const policy = response.headers()["content-security-policy"] ?? "";
        assert.match(policy, /default-src 'none'/);
        assert.doesNotMatch(policy, /unsafe/);
        assert.equal(await page.locator("html").getAttribute("lang"), lang);
        assert.equal(await page.locator("h1").count(), 1);
        const dark = await page.evaluate(() => {
          const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/[\d.]+/g).map(Number);
          // Colours may come as 0 to 255 or, from oklch and color(), as 0 to 1.
          return r + g + b < (r > 1 || g > 1 || b > 1 ? 382 : 1.5);
        });
        assert.equal(dark, theme === "dark", "the ground does not fit the theme");
        for (const viewport of [WIDE, PHONE]) {
          await page.setViewportSize(viewport);
          if (SHOTS && room) {
            await mkdir(SHOTS, { recursive: true });
            const file = `${room}-${name.replaceAll(/[ ,]+/g, "-")}.${lang}-${theme}-${viewport.width}.png`;
            await page.screenshot({ path: join(SHOTS, file) });
          }
          const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(overflow <= 0, `${overflow} px wider than ${viewport.width}`);
          assert.deepEqual(await serious(page), []);
        }
        assert.deepEqual(faults, []);
      } finally {
        await close();
      }
    });
  }
}
