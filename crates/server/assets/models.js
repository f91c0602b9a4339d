// The page on models: keeps its figures fresh, and tries a model.
import { dollars, duration, el, fill, localise, number, root, words } from "./shell.js";
import { render } from "./answer.js";
import { chat, failure, note, recorded } from "./chat.js";

const $ = (id) => document.getElementById(id);
const form = $("try-form"), model = $("try-model"), prompt = $("try-prompt");
const answer = $("try-answer"), notes = $("try-notes"), meta = $("try-meta");
let running = null;

const busy = (on) => {
  $("try-stop").hidden = !on;
  $("try-send").hidden = on;
  $("try-state").textContent = on ? words.answering : "";
  answer.setAttribute("aria-busy", String(on));
};

const facts = (turn) => {
  const shown = [];
  if (turn.model) shown.push(el("span", {}, turn.model));
  if (turn.ttft != null) shown.push(el("span", {}, fill(words.first_token, { time: duration(turn.ttft) })));
  shown.push(el("span", {}, fill(words.took, { time: duration(turn.took) })));
  if (turn.usage?.prompt_tokens != null) shown.push(el("span", {}, fill(words.tokens, { input: number(turn.usage.prompt_tokens), output: number(turn.usage.completion_tokens ?? 0) })));
  if (turn.found?.cost != null) shown.push(el("span", {}, dollars(turn.found.cost)));
  else if (turn.asked.startsWith("hanok/extract")) shown.push(el("span", {}, words.local));
  else if (turn.found && turn.usage) shown.push(el("span", {}, words.no_cost));
  if (turn.trace) shown.push(el("a", { class: "end", href: `${root}traces/${turn.trace}` }, words.open_trace_link));
  meta.replaceChildren(...shown);
  meta.hidden = false;
};

const attempt = async () => {
  const turn = { answer: "", asked: model.value.trim() };
  const body = { model: turn.asked, messages: [{ role: "user", content: prompt.value }], stream: true, stream_options: { include_usage: true } };
  const started = performance.now();
  let frame = 0;
  running = new AbortController();
  $("try-wait").hidden = true;
  meta.hidden = true;
  answer.hidden = false;
  answer.replaceChildren(el("p", { class: "turn-wait" }, words.searching, el("span", { class: "caret", "aria-hidden": "true" })));
  notes.replaceChildren();
  busy(true);
  const draw = () => {
    frame = 0;
    render(answer, turn.answer, (index) => `[${index + 1}]`);
  };
  try {
    const opened = (headers) => {
      turn.trace = headers.get("x-hanok-trace-id");
      const degraded = headers.get("x-hanok-warnings");
      if (degraded) notes.append(note("warn", fill(words.degraded, { what: degraded })));
    };
    for await (const chunk of chat(body, running.signal, opened)) {
      turn.model = chunk.model || turn.model;
      turn.usage = chunk.usage ?? turn.usage;
      const { content, refusal } = chunk.choices?.[0]?.delta ?? {};
      const said = content ?? refusal;
      if (!said) continue;
      if (turn.ttft == null) answer.replaceChildren();
      turn.ttft ??= performance.now() - started;
      turn.answer += said;
      frame ||= requestAnimationFrame(draw);
    }
  } catch (error) {
    if (error.name === "AbortError") notes.append(note("warn", words.stopped));
    else {
      const { message, hint } = failure(error);
      notes.append(note("err", message, hint));
    }
  }
  cancelAnimationFrame(frame);
  turn.took = performance.now() - started;
  running = null;
  busy(false);
  draw();
  answer.hidden = turn.answer === "";
  facts(turn);
  if (!turn.trace) return;
  turn.found = await recorded(turn.trace);
  if (!running && turn.found) facts(turn);
};

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!running) attempt();
});
prompt.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.metaKey || event.ctrlKey) && !event.isComposing) form.requestSubmit();
});
$("try-stop").addEventListener("click", () => running?.abort());
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.isComposing && !document.querySelector(":popover-open")) running?.abort();
});
document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-try]");
  if (!link || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  if (link.dataset.try) model.value = link.dataset.try;
  $("try").scrollIntoView({ block: "start" });
  prompt.focus({ preventScroll: true });
});
document.addEventListener("hanok:key", (event) => {
  if (event.detail.key !== "n") return;
  event.preventDefault();
  prompt.focus();
});

// Health changes by the second. What did not change is left alone, and so is a part that is being read by keyboard.
const refresh = async () => {
  const state = $("state");
  if (document.hidden || state.contains(document.activeElement) || String(getSelection())) return;
  const response = await fetch(location.href).catch(() => null);
  if (!response?.ok || response.redirected) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("state");
  if (!fresh || state.contains(document.activeElement)) return;
  localise(fresh);
  if (!fresh.isEqualNode(state)) state.replaceChildren(...fresh.childNodes);
};
setInterval(refresh, 5000);
