// Starts the built binary and the scripted upstream. Node's own modules only, so that the browser tests use it too.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const TESTS = process.env.HANOK_TESTS;
const BIN = process.env.HANOK_BIN;
if (!TESTS || !BIN) throw new Error("run these by `cargo xtask test --only node` (or browser): HANOK_TESTS and HANOK_BIN are not set");

// The first line that a process prints.
async function firstLine(child, what) {
  const lines = createInterface({ input: child.stdout });
  const gone = once(child, "exit").then(([code]) => Promise.reject(new Error(`${what} ended with ${code}`)));
  gone.catch(() => {});
  const [line] = await Promise.race([once(lines, "line"), gone]);
  return line;
}

async function stop(child, signal) {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill(signal);
    await once(child, "exit");
  }
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

// The upstream of tests/python/upstream.py: `{ url, stop() }`.
export async function upstream() {
  const child = spawn("python3", [join(TESTS, "python/upstream.py")], { stdio: ["pipe", "pipe", "inherit"] });
  const { port } = JSON.parse(await firstLine(child, "the upstream"));
  return { url: `http://127.0.0.1:${port}`, stop: () => stop(child, "SIGKILL") };
}

// `hanok up` in a folder of its own: `{ url, stop() }`. With `library`, over the test documents, all indexed; `seed`
// may put records into its data folder first.
export async function hanok({ config = "", library = false, seed = null } = {}) {
  const folder = await mkdtemp(join(tmpdir(), "hanok-"));
  await writeFile(join(folder, "hanok.toml"), config);
  if (library) await cp(join(TESTS, "python/library"), join(folder, "docs"), { recursive: true });
  if (seed) await seed(join(folder, ".hanok"));
  const { PATH, HOME } = process.env;
  const child = spawn(BIN, ["up", ...(library ? ["docs"] : []), "--bind", `127.0.0.1:${await freePort()}`], {
    cwd: folder,
    env: { PATH, HOME, MOCK_KEY: "sk-mock", NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  child.stderr.on("data", (data) => (log += data));
  let line;
  try {
    line = await firstLine(child, "hanok up");
  } catch (error) {
    throw new Error(`${error.message}; it said:\n${log}`);
  }
  const url = line.match(/http:\/\/127\.0\.0\.1:\d+/)[0];
  const house = {
    url,
    folder,
    async stop() {
      await stop(child, "SIGTERM");
      await rm(folder, { recursive: true, force: true });
    },
  };
  if (library) {
    for (const [query, part] of [["When does the warehouse open?", "seven"], ["연차 휴가", "열다섯"], ["conveyor belt", "strap"]]) {
      await eventually(async () => (await search(url, query)).some((hit) => hit.text.includes(part)), `a hit for ${query}`);
    }
  }
  return house;
}

export async function search(url, query) {
  const answer = await fetch(`${url}/api/search`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query, collection: "default", top_k: 5 }),
  });
  return answer.ok ? (await answer.json()).hits : [];
}

// Asks again and again, since what it waits for has no event of its own.
export async function eventually(look, what, timeout = 30_000) {
  const deadline = Date.now() + timeout;
  for (;;) {
    const value = await look();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`${what} did not come within ${timeout} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export function providers(upstream) {
  return `
[providers.mock]
dialect = "openai-chat"
base_url = "${upstream.url}/v1"
key = "env:MOCK_KEY"

[models.fast]
targets = ["mock/echo"]
`;
}
