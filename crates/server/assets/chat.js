// A chat with this server: its stream, its failures in words, what its trace says afterwards.
import { el, icon, root, words } from "./shell.js";

class Refused extends Error {
  constructor(error) {
    super(error?.message || words.failed);
    this.hint = error?.hint;
  }
}

// Server-sent events from a body: yields the data of each.
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  for (;;) {
    const { done, value } = await reader.read();
    buffer += value ?? "";
    const lines = buffer.split(/\r\n|\n|\r(?!$)/);
    buffer = done ? "" : lines.pop();
    for (const line of lines) if (line.startsWith("data:")) yield line.slice(5).trim();
    if (done) return;
  }
}

// The events of a call; opened sees the response's headers first.
const call = async (place, body, signal, opened) => {
  const response = await fetch(root + place, {
    method: "POST", headers: { "content-type": "application/json", accept: "text/event-stream" }, body: JSON.stringify(body), signal,
  }).catch((error) => {
    throw error.name === "AbortError" ? error : new Refused({ message: words.unreachable });
  });
  opened(response.headers);
  if (!response.ok) throw new Refused((await response.json().catch(() => null))?.error);
  return events(response.body);
};

/** Asks, and yields the answer's chunks; opened sees the response's headers first. An end that is none throws. */
export async function* chat(body, signal, opened) {
  let finished = false;
  for await (const data of await call("v1/chat/completions", body, signal, opened)) {
    if (data === "[DONE]") {
      finished = true;
      break;
    }
    const chunk = JSON.parse(data);
    if (chunk.error) throw new Refused(chunk.error);
    if (chunk.choices?.[0]?.finish_reason) finished = true;
    yield chunk;
  }
  if (!finished) throw new Refused({ message: words.cut_short });
}

/** The same of OpenAI's Responses: yields their events. */
export async function* respond(body, signal, opened) {
  let finished = false;
  for await (const data of await call("v1/responses", body, signal, opened)) {
    if (data === "[DONE]") break;
    const event = JSON.parse(data);
    if (event.type === "error") throw new Refused(event.error ?? event);
    if (event.type === "response.failed") throw new Refused(event.response?.error);
    if (event.type === "response.completed" || event.type === "response.incomplete") finished = true;
    yield event;
  }
  if (!finished) throw new Refused({ message: words.cut_short });
}

/** JSON of this server; what it refuses throws. */
export const ask = async (place, { method = "GET", body, signal } = {}) => {
  const sent = body && { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(root + place, { method, signal, ...sent }).catch((error) => {
    throw error.name === "AbortError" ? error : new Refused({ message: words.unreachable });
  });
  const said = await response.json().catch(() => null);
  if (!response.ok) throw new Refused(said?.error);
  return said;
};

/** What to say of an error that chat threw. */
export const failure = (error) => {
  if (error instanceof Refused) return { message: error.message, hint: error.hint };
  console.warn("the stream broke", error);
  return { message: words.cut_short };
};

/** The hits and the cost (US dollars) of a trace. It is written when the answer has ended, so a few moments later. */
export const recorded = async (trace) => {
  for (const wait of [150, 500, 1500]) {
    await new Promise((done) => setTimeout(done, wait));
    const response = await fetch(`${root}api/traces/${trace}`).catch(() => null);
    if (!response) return null;
    if (!response.ok) continue;
    const { spans = [] } = await response.json();
    const attributes = (name) => spans.map(({ attributes }) => attributes?.[name]).filter((value) => value != null);
    const costs = attributes("hanok.cost_usd").filter((cost) => typeof cost === "number");
    return { hits: attributes("hanok.hits")[0], cost: costs.length ? Math.max(...costs) : null };
  }
  return null;
};

/** A note with its sign. */
export const note = (kind, text, hint, ...more) =>
  el("div", { class: `note note-${kind}`, role: kind === "err" ? "alert" : null }, icon("warn"),
    el("div", { class: "grow" }, el("p", {}, text), hint ? el("p", { class: "dim" }, hint) : null), ...more);
