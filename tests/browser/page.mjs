// One browser for a file of tests, and pages that note everything they should not do.

import { readFile } from "node:fs/promises";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, request } from "node:http";
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, test } from "node:test";
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

// Tests that each of these places, by its name, is whole in both languages and themes, wide and on a phone: it is there,
// nothing is asked of elsewhere, nothing overflows, and axe calls nothing serious. With HANOK_SHOTS=DIR, a picture of each.
export function whole(room, places, base) {
  const looks = [["en", "light", WIDE], ["ko", "dark", WIDE], ["en", "dark", PHONE], ["ko", "light", PHONE]];
  describe("every page is whole", () => {
    for (const [name, place] of Object.entries(places)) for (const [lang, theme, viewport] of looks) {
      test(`${name} in ${lang}, ${theme}, at ${viewport.width}`, async () => {
        const { page, response, faults, close } = await open(`${base(name)}${place}`, { lang, theme, viewport });
        try {
          assert.equal(response.status(), 200);
          assert.equal(await page.locator("html").getAttribute("lang"), lang);
          assert.equal(await page.locator("h1").count(), 1);
          assert.equal(await page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - innerWidth)), 0);
          if (SHOTS) {
            await mkdir(SHOTS, { recursive: true });
            await page.screenshot({ path: join(SHOTS, `${room}-${name.replaceAll(" ", "-")}-${viewport.width}-${lang}-${theme}.png`) });
          }
          assert.deepEqual(await serious(page), []);
          assert.deepEqual(faults, []);
        } finally {
          await close();
        }
      });
    }
  });
}
