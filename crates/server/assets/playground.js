// The playground: prompts and models side by side, one answer or one a row of a dataset.
import { el, fill, number, root, toast, words } from "./shell.js";
import { render } from "./answer.js";
import { ask, failure, note, recorded } from "./chat.js";
import { call, edited, facts, toolCall } from "./play-call.js";
import { filledIn, valueText, variableField } from "./play-variables.js";

const $ = (id) => document.getElementById(id);
const w = words.prompts;
const AT_ONCE = 4, MOST_SIDES = 6;
const box = $("sides");
const prompts = new Map(JSON.parse(box.dataset.prompts));
const sides = [];
let running = null;

const part = (side, name) => side.box.querySelector(`[data-${name}]`);
const place = (name) => encodeURIComponent(name);
const say = (notes, error) => {
  if (error.name === "AbortError") return notes.append(note("warn", words.stopped));
  const { message, hint } = failure(error);
  notes.append(note("err", message, hint));
};

// Variables: those of all sides, each filled in once.
const known = () => {
  const all = new Map();
  for (const side of sides) for (const variable of side.variables) {
    const other = all.get(variable.name);
    all.set(variable.name, other ? { ...variable, ...other, required: other.required || variable.required } : variable);
  }
  return [...all.values()];
};
const drawVariables = () => {
  const all = known();
  const shape = JSON.stringify(all);
  if ($("variables").dataset.shape === shape) return;
  $("variables").dataset.shape = shape;
  const focused = document.activeElement?.id;
  $("variables").replaceChildren(...all.map(variableField));
  $("no-variables").hidden = all.length > 0;
  if (focused?.startsWith("var-")) $(focused)?.focus();
};
// Sides.
const draw = (side) => {
  const n = sides.indexOf(side) + 1;
  side.box.querySelector("h2").textContent = fill(w.side, { n });
  side.box.querySelector(".side-out").setAttribute("aria-label", fill(w.side, { n }));
  part(side, "at-of").hidden = side.prompt === "";
  part(side, "edited").hidden = side.prompt === "" || !edited(side);
  part(side, "name").hidden = side.prompt !== "";
  part(side, "save").disabled = !edited(side) || !side.source.trim();
  const open = part(side, "open");
  open.hidden = side.prompt === "";
  open.href = `${root}prompts/${place(side.prompt)}?at=${side.at}`;
  part(side, "remove").hidden = sides.length < 2;
};
const drawAll = () => {
  for (const side of sides) draw(side);
  $("add").disabled = sides.length >= MOST_SIDES;
  drawVariables();
};
const offer = (side) => {
  const offered = prompts.get(side.prompt) ?? [];
  part(side, "at").replaceChildren(...offered.map((at) => el("option", { value: at }, at)));
  if (!offered.includes(side.at)) side.at = offered[0] ?? "latest";
  part(side, "at").value = side.at;
};
const load = async (side) => {
  // What was on its way for another choice is not this one's.
  const turn = (side.loading = {});
  const notes = part(side, "notes");
  notes.replaceChildren();
  offer(side);
  if (side.prompt === "") {
    side.variables = [];
    side.loaded = null;
    part(side, "source").closest("details").open = true;
    await read(side);
    return;
  }
  try {
    const found = await ask(`api/prompts/${place(side.prompt)}?at=${encodeURIComponent(side.at)}`);
    if (side.loading !== turn) return;
    Object.assign(side, { source: found.source, loaded: found.source, variables: found.variables, own: found.model, version: found.version });
    part(side, "source").value = found.source;
  } catch (error) {
    say(notes, error);
  }
  drawAll();
};
// What a text that is being written has for variables.
const read = async (side) => {
  const turn = (side.reading = {});
  const notes = part(side, "notes");
  if (!side.source.trim()) side.variables = [];
  else try {
    const found = await ask("playground/draft", { method: "POST", body: { name: side.prompt, source: side.source } });
    if (side.reading !== turn) return;
    notes.replaceChildren();
    Object.assign(side, { variables: found.variables, own: found.model });
  } catch (error) {
    if (side.reading !== turn) return;
    notes.replaceChildren();
    say(notes, error);
  }
  drawAll();
};
const add = (from) => {
  if (sides.length >= MOST_SIDES) return null;
  const side = { prompt: "", at: "latest", model: "", source: "", loaded: null, variables: [], own: null, ...from };
  side.box = $("side").content.firstElementChild.cloneNode(true);
  sides.push(side);
  box.append(side.box);
  part(side, "prompt").value = side.prompt;
  part(side, "model").value = side.model;
  part(side, "source").value = side.source;
  part(side, "prompt").onchange = (event) => {
    side.prompt = event.target.value;
    side.at = "latest";
    load(side);
  };
  part(side, "at").onchange = (event) => {
    side.at = event.target.value;
    load(side);
  };
  part(side, "model").onchange = (event) => (side.model = event.target.value);
  let later = 0;
  part(side, "source").oninput = (event) => {
    side.source = event.target.value;
    draw(side);
    clearTimeout(later);
    later = setTimeout(() => read(side), 400);
  };
  part(side, "remove").onclick = () => {
    sides.splice(sides.indexOf(side), 1);
    side.box.remove();
    drawAll();
    $("add").focus();
  };
  part(side, "save").onclick = () => save(side);
  load(side);
  drawAll();
  return side;
};
const another = () => {
  const last = sides.at(-1);
  const side = add(last && { prompt: last.prompt, at: last.at, source: last.prompt ? "" : last.source, model: last.model });
  if (!side) return;
  side.box.scrollIntoView({ block: "nearest" });
  part(side, "model").focus({ preventScroll: true });
};
const save = async (side) => {
  const notes = part(side, "notes");
  notes.replaceChildren();
  const name = side.prompt || part(side, "name").value.trim();
  if (!name) {
    notes.append(note("warn", w.save_name));
    return part(side, "name").focus();
  }
  if (!side.prompt && prompts.has(name)) return notes.append(note("warn", w.name_taken));
  try {
    // The file that is written over is the one this text was made of, or, of an older version's text, the one there is now.
    const now = side.prompt && side.at !== "latest" ? (await ask(`api/prompts/${place(name)}`)).version : side.version;
    const body = { source: side.source, expected: side.prompt ? now : null };
    const saved = await ask(`api/prompts/${place(name)}`, { method: "PUT", body });
    const offered = prompts.get(name) ?? ["latest"];
    prompts.set(name, [...new Set([...offered, saved.version])]);
    for (const other of sides) if (![...part(other, "prompt").options].some(({ value }) => value === name)) part(other, "prompt").append(el("option", { value: name }, name));
    side.prompt = part(side, "prompt").value = name;
    side.at = "latest";
    await load(side);
    toast(saved.changed ? fill(w.saved, { version: saved.version }) : w.unchanged_file);
  } catch (error) {
    say(notes, error);
  }
};

// Runs.
const toolList = () => {
  const text = $("tools").value.trim();
  if (!text) return [];
  let list = null;
  try {
    list = JSON.parse(text);
  } catch {
    list = null;
  }
  if (!Array.isArray(list) || list.some((tool) => typeof tool?.name !== "string")) throw new TypeError("tools");
  return list.map(({ name, description, parameters }) => ({ type: "function", name, ...(description && { description }), parameters: parameters ?? { type: "object", properties: {} } }));
};

const complain = (notes, error) => (error.name || error instanceof Error ? say(notes, error) : notes.append(note("err", error.message)));

const runSide = async (side, tools, signal) => {
  const answer = part(side, "answer"), notes = part(side, "notes"), meta = part(side, "meta"), thinking = part(side, "thinking");
  part(side, "wait").hidden = true;
  meta.hidden = thinking.hidden = true;
  notes.replaceChildren();
  part(side, "calls").replaceChildren();
  answer.hidden = false;
  answer.setAttribute("aria-busy", "true");
  answer.replaceChildren(el("p", { class: "turn-wait" }, w.running, el("span", { class: "caret", "aria-hidden": "true" })));
  let frame = 0;
  const show = (turn) => {
    frame = 0;
    if (turn.answer && answer.querySelector(".turn-wait")) answer.replaceChildren();
    if (turn.answer) render(answer, turn.answer, (index) => `[${index + 1}]`);
    thinking.hidden = !turn.thought;
    part(side, "thought").textContent = turn.thought;
  };
  const turn = await call(side, filledIn(side.variables), tools, signal, (turn) => (frame ||= requestAnimationFrame(() => show(turn))));
  cancelAnimationFrame(frame);
  show(turn);
  answer.setAttribute("aria-busy", "false");
  answer.hidden = turn.answer === "";
  part(side, "calls").replaceChildren(...turn.calls.filter(Boolean).map(toolCall));
  if (turn.error) complain(notes, turn.error);
  meta.replaceChildren(...facts(turn));
  meta.hidden = !meta.childElementCount;
  if (!turn.trace) return;
  recorded(turn.trace).then((found) => {
    turn.found = found;
    if (found) meta.replaceChildren(...facts(turn));
  });
};

const busy = (on) => {
  $("stop").hidden = !on;
  $("run").hidden = on;
  $("run-rows").disabled = on;
  $("play-state").textContent = on ? w.running : "";
};
const within = async (work) => {
  if (running) return;
  const notes = $("play-notes");
  notes.replaceChildren();
  let tools;
  try {
    tools = toolList();
  } catch {
    return notes.append(note("err", w.bad_tools));
  }
  running = new AbortController();
  busy(true);
  try {
    await work(tools, running.signal);
  } catch (error) {
    say(notes, error);
  }
  running = null;
  busy(false);
};
const run = () => within((tools, signal) => Promise.all(sides.map((side) => runSide(side, tools, signal))));

// A row of one value is the value of a prompt's one variable.
const ofRow = (side, { input }) => {
  const [only, ...others] = side.variables;
  const single = Object.keys(input).length === 1 && "input" in input;
  return single && only && !others.length && only.name !== "input" ? { [only.name]: input.input } : input;
};
const runRows = () => within(async (tools, signal) => {
  const dataset = $("dataset").value.trim();
  if (!dataset) return $("dataset").focus();
  const { rows } = await ask(`playground/rows?dataset=${encodeURIComponent(dataset)}&count=${Number($("count").value) || 5}`, { signal });
  $("results").hidden = false;
  if (!rows.length) {
    $("results-state").textContent = "";
    return $("results-table").replaceChildren(el("p", { class: "in dim" }, w.no_rows));
  }
  const tried = [...sides], work = [];
  const expects = rows.some(({ expected }) => expected != null);
  const names = tried.map((side, n) => `${fill(w.side, { n: n + 1 })}: ${[side.prompt && `${side.prompt}@${side.at}`, side.model].filter(Boolean).join(", ") || w.draft}`);
  const head = [w.input, ...(expects ? [w.expected] : []), ...names];
  const body = rows.map((row) => {
    const cells = tried.map((side, n) => {
      const cell = el("td", { class: "dim", role: "cell", "data-label": names[n] }, "…");
      work.push([side, row, cell]);
      return cell;
    });
    const of = Object.entries(row.input).map(([name, value]) => el("p", {}, el("span", { class: "dim" }, `${name} `), valueText(value).slice(0, 400)));
    return el("tr", { role: "row" }, el("td", { role: "cell" }, ...of), expects ? el("td", { role: "cell", "data-label": w.expected }, valueText(row.expected)) : null, ...cells);
  });
  $("results-table").replaceChildren(el("table", { class: "table reasons rows", role: "table" }, el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ...head.map((text) => el("th", { role: "columnheader" }, text)))), el("tbody", { role: "rowgroup" }, ...body)));
  $("results").scrollIntoView({ block: "nearest" });
  let done = 0;
  const all = work.length;
  const tell = () => ($("results-state").textContent = fill(w.rows_done, { done: number(done), all: number(all) }));
  tell();
  const worker = async () => {
    for (let next = work.shift(); next && !signal.aborted; next = work.shift()) {
      const [side, row, cell] = next;
      const turn = await call(side, ofRow(side, row), tools, signal);
      cell.className = "";
      cell.replaceChildren(...(turn.answer ? [el("p", { class: "pre" }, turn.answer)] : []), ...turn.calls.filter(Boolean).map(toolCall));
      if (turn.error) complain(cell, turn.error);
      cell.append(el("div", { class: "turn-meta" }, ...facts({ ...turn, model: null, ttft: null })));
      done += 1;
      tell();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  if (signal.aborted) throw new DOMException("", "AbortError");
});

$("play-form").addEventListener("submit", (event) => {
  event.preventDefault();
  run();
});
addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.metaKey || event.ctrlKey) && !event.isComposing) {
    event.preventDefault();
    run();
  }
  if (event.key === "Escape" && !event.isComposing && !document.querySelector(":popover-open")) running?.abort();
});
$("stop").addEventListener("click", () => running?.abort());
$("run-rows").addEventListener("click", runRows);
$("add").addEventListener("click", another);
document.addEventListener("hanok:new", (event) => {
  event.preventDefault();
  another();
});
document.addEventListener("hanok:key", (event) => {
  if (event.detail.key !== "n") return;
  event.preventDefault();
  another();
});

const chosen = JSON.parse(box.dataset.chosen);
const [first] = prompts.keys();
add(chosen ? { prompt: chosen[0], at: chosen[1] } : first ? { prompt: first } : {});
another();
scrollTo(0, 0);
document.activeElement?.blur();
