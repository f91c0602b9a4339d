// What the scripted vendors say (tests/python/scenes.py), and a server over all of them.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

const { hanok } = await import(`${process.env.HANOK_TESTS}/node/house.mjs`);

export const ANSWER = '두 번 says 2×2 = 4, and "quotes" stay.\nA second line — with 🏠.';
export const THOUGHT = "Let me look at the sky first.";
export const SIGNATURE = "c2lnbmVkLWJ5LXRoZS11cHN0cmVhbS8x";
export const CALLS = [
  ["get_weather", { city: "서울", unit: "C", days: 3 }],
  ["get_time", { zone: "Asia/Seoul", deep: { list: [1, 2.5, null, true] } }],
];
export const STRUCTURED = { name: "한옥", rooms: 3, heated: true };
export const KEY = "sk-of-the-client-0987654321";
export const TOOLS = CALLS.map(([name]) => ({ name, schema: { type: "object", properties: { city: { type: "string" } } } }));

const DIALECTS = {
  openai: ["openai-chat", "/openai/v1"],
  responses: ["openai-responses", "/responses/v1"],
  anthropic: ["anthropic-messages", "/anthropic/v1"],
  gemini: ["gemini", "/gemini/v1beta"],
  ollama: ["ollama", "/ollama/api"],
};
export const PROVIDERS = Object.keys(DIALECTS);

async function vendors() {
  const child = spawn("python3", [`${process.env.HANOK_TESTS}/python/vendors.py`], { stdio: ["pipe", "pipe", "inherit"] });
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  const url = `http://127.0.0.1:${JSON.parse(line).port}`;
  return {
    url,
    // What arrived since the last time this was asked, bodies parsed.
    async requests() {
      const kept = await (await fetch(`${url}/_requests`)).json();
      await fetch(`${url}/_requests`, { method: "DELETE" });
      if (JSON.stringify(kept).includes(KEY)) throw new Error("a client's key went to the vendor");
      return kept.map((request) => ({ ...request, body: JSON.parse(Buffer.from(request.body, "base64").toString()) }));
    },
    async stop() {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

// Both, started: `{ url, vendors, stop() }`.
export async function houseOfVendors() {
  const vendor = await vendors();
  const tables = Object.entries(DIALECTS).map(
    ([name, [dialect, path]]) => `[providers.${name}]\ndialect = "${dialect}"\nbase_url = "${vendor.url}${path}"\nkey = "env:MOCK_KEY"\n`,
  );
  const house = await hanok({ config: tables.join("\n") });
  return {
    url: house.url,
    vendors: vendor,
    async stop() {
      await house.stop();
      await vendor.stop();
    },
  };
}
