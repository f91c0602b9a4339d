// One call of a side of the playground, and what is told of it.
import { dollars, duration, el, fill, number, root, words } from "./shell.js";
import { ask, respond } from "./chat.js";

const w = words.prompts;

/** Whether a side's text is another than what was loaded. */
export const edited = (side) => side.prompt === "" || side.source !== side.loaded;

// What names a side's prompt in a call: a text that nobody saved is one of the house for a while, and does what it will do.
const named = async (side, signal) => {
  if (!edited(side)) return { id: side.prompt, version: side.at };
  const { draft } = await ask("playground/draft", { method: "POST", signal, body: { name: side.prompt, source: side.source } });
  return { id: draft };
};

/** One call of a side; `heard` is told of what came. */
export const call = async (side, variables, tools, signal, heard) => {
  const turn = { answer: "", thought: "", calls: [] };
  const started = performance.now();
  const opened = (headers) => (turn.trace = headers.get("x-hanok-trace-id"));
  const text = (piece) => {
    turn.ttft ??= performance.now() - started;
    turn.answer += piece;
  };
  try {
    if (edited(side) && !side.source.trim()) return { ...turn, error: { message: w.no_source } };
    if (!side.model && !side.own) return { ...turn, error: { message: w.model_first } };
    const body = { prompt: { ...(await named(side, signal)), variables }, stream: true, store: false };
    if (side.model) body.model = side.model;
    if (tools.length) body.tools = tools;
    for await (const event of respond(body, signal, opened)) {
      if (event.type === "response.output_text.delta" || event.type === "response.refusal.delta") text(event.delta);
      else if (event.type.startsWith("response.reasoning") && event.type.endsWith(".delta")) turn.thought += event.delta;
      else if (event.type === "response.output_item.done" && event.item?.type === "function_call") turn.calls.push(event.item);
      if (event.response?.model) turn.model = event.response.model;
      if (event.response?.usage) turn.usage = { input: event.response.usage.input_tokens, output: event.response.usage.output_tokens };
      heard?.(turn);
    }
  } catch (error) {
    turn.error = error;
  }
  turn.took = performance.now() - started;
  return turn;
};

/** What a call was: model, times, tokens, cost, and the way to its trace. */
export const facts = (turn) => {
  const shown = [];
  if (turn.model) shown.push(el("span", {}, turn.model.startsWith("prompt/draft:") ? w.draft : turn.model));
  if (turn.ttft != null) shown.push(el("span", {}, fill(words.first_token, { time: duration(turn.ttft) })));
  if (turn.took != null) shown.push(el("span", {}, fill(words.took, { time: duration(turn.took) })));
  if (turn.usage?.input != null) shown.push(el("span", {}, fill(words.tokens, { input: number(turn.usage.input), output: number(turn.usage.output ?? 0) })));
  if (turn.found?.cost != null) shown.push(el("span", {}, dollars(turn.found.cost)));
  else if (turn.found && turn.usage) shown.push(el("span", {}, words.no_cost));
  if (turn.trace) shown.push(el("a", { class: "end", href: `${root}traces/${turn.trace}` }, words.open_trace_link));
  return shown;
};
/** A call of a tool that a model wants. */
export const toolCall = ({ name, arguments: given }) =>
  el("div", { class: "call" }, el("p", { class: "strong" }, fill(w.tool_call, { name })), el("pre", { class: "code" }, given));
