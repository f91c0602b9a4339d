// What every page does: words, theme, copying, keys, commands, the live floor.
// Pages listen for "hanok:trace", "hanok:pulse" and "hanok:reopened" on document.

const meta = (name) => document.querySelector(`meta[name="${name}"]`).content;
/** The way from this page to the top of the server. */
export const root = meta("hanok-root");
/** The page's words. */
export const words = JSON.parse(meta("hanok-words"));

/** A text with its {names} filled in. */
export const fill = (text, values) => text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
/** 1,284 */
export const number = (n) => n.toLocaleString("en-US");
/** The form of a text for n. */
export const count = (text, n) => fill(n === 1 ? text.one : text.many, { n: number(n) });
/** A duration as the server writes it. */
export const duration = (ms) => (ms < 999.5 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 9995 ? 2 : 1)} s`);
/** Dollars as the server writes them. */
export const dollars = (usd) => "$" + usd.toFixed(usd === 0 || Math.abs(usd) >= 1 ? 2 : 5);

/** An element: name, attributes, children (texts stay texts). */
export const el = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value != null && value !== false) made.setAttribute(key, value === true ? "" : value);
  made.append(...children.filter((child) => child != null));
  return made;
};
const shapes = {
  check: "M3 8.5l3.2 3.2L13 4.8", warn: "M8 2.5l6 10.5H2zM8 6.5v3M8 11.3v.2", close: "M4 4l8 8M12 4l-8 8", up: "M8 13V3.5M4 7l4-4 4 4",
};
/** A sign, as src/ui/icon.rs draws it. */
export const icon = (name) => {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  svg.setAttribute("class", "ic");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(ns, "path");
  path.setAttribute("d", shapes[name]);
  svg.append(path);
  return svg;
};

/** Says something aside; an error stays until it is dismissed. */
export const toast = (text, sign = "check") => {
  const close = el("button", { type: "button", class: "btn btn-quiet btn-sm btn-ic", "aria-label": words.dismiss }, icon("close"));
  const box = el("div", { class: "toast" }, icon(sign), el("span", { class: "grow" }, text), close);
  close.onclick = () => box.remove();
  document.getElementById("toasts").replaceChildren(box);
  if (sign === "check") setTimeout(() => box.remove(), 4000);
};

/** Copies a text and says so. */
export const copy = async (text) => {
  try {
    await navigator.clipboard.writeText(text);
    toast(words.copied);
  } catch {
    // Plain HTTP on another address than loopback has no clipboard; a selected field has.
    const field = el("textarea", { class: "vh", readonly: true });
    field.value = text;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    if (done) toast(words.copied);
    else toast(words.copy_failed, "warn");
  }
};

/** Times of day in the reader's zone; a day that is not today is named. */
export const localise = (within) => {
  const two = (n) => String(n).padStart(2, "0");
  for (const time of within.querySelectorAll("time[data-clock]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const clock = `${two(at.getHours())}:${two(at.getMinutes())}`;
    const today = at.toDateString() === new Date().toDateString();
    const day = `${two(at.getMonth() + 1)}-${two(at.getDate())}`;
    const thisYear = at.getFullYear() === new Date().getFullYear();
    const form = {
      m: clock, s: `${today ? "" : day + " "}${clock}:${two(at.getSeconds())}`,
      d: `${at.getFullYear()}-${day}`, dm: today ? clock : `${thisYear ? "" : at.getFullYear() + "-"}${day} ${clock}`,
    };
    time.textContent = form[time.dataset.clock];
  }
};
localise(document);

// A language or theme asked for in the address is kept in a cookie by the server: the address need not hold it.
const here = new URL(location.href);
if (here.searchParams.has("lang") || here.searchParams.has("theme")) {
  here.searchParams.delete("lang");
  here.searchParams.delete("theme");
  history.replaceState(history.state, "", here);
}

const themes = ["system", "light", "dark"];
const switchTheme = () => {
  const links = document.querySelectorAll("[data-theme-now]");
  const theme = themes[(themes.indexOf(document.documentElement.dataset.theme ?? "system") + 1) % themes.length];
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  document.cookie = `hanok_theme=${theme}; Path=/; Max-Age=31536000; SameSite=Lax`;
  for (const link of links) link.dataset.themeNow = theme;
  for (const name of document.querySelectorAll("[data-theme-name]")) name.textContent = words[`theme_${theme}`];
};

const mac = /Mac|iP(hone|ad)/.test(navigator.platform);
for (const key of document.querySelectorAll("kbd[data-mod]")) key.textContent = (mac ? "⌘" : "Ctrl ") + key.dataset.mod;

/** Whether a key belongs to a field. */
export const typing = (event) => event.isComposing || event.target.closest?.("input, textarea, select, [contenteditable]");

const act = {
  theme: switchTheme,
  new: () => { if (!document.dispatchEvent(new CustomEvent("hanok:new", { cancelable: true }))) return; location.href = root; },
  curl: () => document.querySelector("[data-curl]")?.click(),
  live: () => document.getElementById("live")?.click(),
  out: () => document.getElementById("sign-out").requestSubmit(),
};

document.addEventListener("click", (event) => {
  const copier = event.target.closest("[data-copy]");
  if (copier) return void copy(copier.dataset.copy);
  const doer = event.target.closest('a[data-do="theme"]');
  if (doer && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    switchTheme();
  }
  const tab = event.target.closest("[data-tabs] [role=tab]");
  if (tab) selectTab(tab);
});

const selectTab = (tab) => {
  for (const other of tab.parentElement.querySelectorAll("[role=tab]")) {
    other.setAttribute("aria-selected", String(other === tab));
    other.tabIndex = other === tab ? 0 : -1;
    const panel = document.getElementById(other.getAttribute("aria-controls"));
    if (panel && other.closest("[data-tabs]")) panel.hidden = other !== tab;
  }
};
document.addEventListener("keydown", (event) => {
  const tab = event.target.closest?.("[role=tab]");
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!tab || !step) return;
  const all = [...tab.parentElement.querySelectorAll("[role=tab]")];
  const next = all[(all.indexOf(tab) + step + all.length) % all.length];
  event.preventDefault();
  next.focus();
  next.click();
});

/** Whether single letters are keys; told, keeps the choice. */
export const letters = (on) => {
  if (on !== undefined) localStorage.setItem("hanok-letters", on ? "on" : "off");
  return localStorage.getItem("hanok-letters") !== "off";
};

// Keys. A page adds its own by listening for "hanok:key", which is cancelled when it was used.
let leading = false;
addEventListener("keydown", (event) => {
  if ((event.metaKey || event.ctrlKey) && !event.altKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    document.getElementById("palette").togglePopover();
    return;
  }
  if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey) return;
  const key = event.key;
  if (key !== "Escape" && (typing(event) || document.querySelector(".palette:popover-open"))) return;
  // Arrows, Enter and Escape are keys for everybody.
  if (key.length === 1 && !letters()) return;
  if (leading) {
    leading = false;
    const letter = key.toUpperCase();
    const command = fixed.find((item) => item.dataset.key === letter);
    if (command) location.href = command.dataset.to;
    else document.querySelector(`.rail [data-key="${CSS.escape(letter)}"]`)?.click();
    return;
  }
  if (!document.dispatchEvent(new CustomEvent("hanok:key", { detail: event, cancelable: true }))) {
    event.preventDefault();
    return;
  }
  if (key === "g") {
    leading = true;
    setTimeout(() => (leading = false), 1500);
  } else if (key === "?") document.getElementById("keys").togglePopover();
  else if (key === "n") act.new();
  else if (key === "L" || key === "l") act.live();
  else if (key === "y") act.curl();
  else if (key === "[" || key === "]") document.querySelector(`[data-neighbour="${key}"]`)?.click();
  else if (key === "/") {
    const field = document.querySelector("#filter-q, #ask-q");
    if (!field) return;
    event.preventDefault();
    field.focus();
  }
});

// Commands.
const palette = document.getElementById("palette");
const query = document.getElementById("palette-q");
const list = document.getElementById("palette-list");
const fixed = [...list.children];
const choose = (item) => {
  for (const other of list.children) other.setAttribute("aria-selected", String(other === item));
  query.setAttribute("aria-activedescendant", item?.id ?? "");
  item?.scrollIntoView({ block: "nearest" });
};
const show = () => {
  const text = query.value.trim();
  const low = text.toLowerCase();
  const fits = fixed.filter((item) => (!item.dataset.needs || document.querySelector(item.dataset.needs)) && item.textContent.toLowerCase().includes(low));
  const made = [];
  const add = (words, to) => made.push(el("li", { id: `cmd-made-${made.length}`, role: "option", "data-to": to }, el("span", { class: "cut" }, words)));
  if (/^[0-9a-f]{32}$/i.test(text)) add(fill(words.open_trace, { id: text.slice(0, 16) }), `${root}traces/${low}`);
  else if (text) {
    add(fill(words.ask_this, { text }), `${root}?q=${encodeURIComponent(text)}`);
    add(fill(words.filter_this, { text }), `${root}traces?filter=${encodeURIComponent(text)}`);
  }
  list.replaceChildren(...fits, ...made);
  choose(list.firstElementChild);
};
const run = (item) => {
  if (!item) return;
  palette.hidePopover();
  if (item.dataset.do) act[item.dataset.do]();
  else location.href = item.dataset.to;
};
palette.addEventListener("toggle", (event) => {
  if (event.newState !== "open") return;
  query.value = "";
  show();
  query.focus();
});
query.addEventListener("input", show);
query.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  const all = [...list.children];
  const at = all.findIndex((item) => item.getAttribute("aria-selected") === "true");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    choose(all[(at + (event.key === "ArrowDown" ? 1 : -1) + all.length) % all.length]);
  } else if (event.key === "Enter") {
    event.preventDefault();
    run(all[at]);
  }
});
list.addEventListener("click", (event) => run(event.target.closest("[role=option]")));
for (const button of document.querySelectorAll("#more [popovertarget]")) button.addEventListener("click", () => document.getElementById("more").hidePopover());

// A question opened by key puts the focus on its answer; Escape takes it back.
for (const question of document.querySelectorAll("details.confirm")) question.addEventListener("toggle", () => {
  if (question.open) question.querySelector("form button").focus();
});
addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = document.querySelector("details.confirm[open]");
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
});

// The live connection: one per document, closed while nobody can see it.
const scroll = document.getElementById("traces-scroll");
const address = root + "api/live" + (scroll ? "?filter=" + encodeURIComponent(scroll.dataset.filter) : "");
const serving = document.getElementById("serving");
let source = null, failures = 0, timer = 0, hidden = 0, opened = false;
const tell = (name, event) => {
  try {
    document.dispatchEvent(new CustomEvent(name, { detail: JSON.parse(event.data) }));
  } catch (error) {
    console.warn("live event not understood", error);
  }
};
const well = (is) => {
  serving.firstElementChild.className = is ? "dot dot-ok" : "dot dot-err";
  serving.children[1].textContent = is ? words.serving : words.not_serving;
};
const close = () => {
  clearTimeout(timer);
  source?.close();
  source = null;
};
const open = () => {
  close();
  source = new EventSource(address);
  source.addEventListener("trace", (event) => tell("hanok:trace", event));
  source.addEventListener("pulse", (event) => tell("hanok:pulse", event));
  source.onopen = () => {
    failures = 0;
    well(true);
    if (opened) document.dispatchEvent(new CustomEvent("hanok:reopened"));
    opened = true;
  };
  source.onerror = () => {
    close();
    well(false);
    timer = setTimeout(open, Math.min(30000, 1000 * 2 ** failures++) * (0.75 + Math.random() / 2));
  };
};
addEventListener("pagehide", close);
addEventListener("pageshow", (event) => event.persisted && open());
document.addEventListener("visibilitychange", () => {
  clearTimeout(hidden);
  if (document.hidden) hidden = setTimeout(close, 60000);
  else if (!source) open();
});
open();

const pulse = document.getElementById("pulse");
const heights = { err: [1, 18], chat: [4, 15], http: [12, 7] };
document.addEventListener("hanok:pulse", ({ detail }) => {
  const ticks = (detail.ticks ?? []).slice(-600).map(({ x, kind }) => {
    const [y, height] = heights[kind] ?? [9, 10];
    const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    rect.setAttribute("class", "p-" + kind);
    rect.setAttribute("x", x + "%");
    rect.setAttribute("y", y);
    rect.setAttribute("height", height);
    return rect;
  });
  pulse.replaceChildren(...ticks);
  if (typeof detail.spans_per_s === "number") document.getElementById("rate").textContent = detail.spans_per_s.toFixed(1);
  const today = document.getElementById("today");
  today.hidden = detail.cost_usd == null;
  if (detail.cost_usd != null) today.querySelector("strong").textContent = dollars(detail.cost_usd);
  steps(detail, ticks.length > 0);
});
document.addEventListener("hanok:trace", () => steps({}, true));

/** How far reading has come, as a text. */
export const reading = (collections) =>
  collections
    .filter(({ found }) => found > 0)
    .map(({ name, indexed, found, indexing }) =>
      indexing === false || (indexing === undefined && indexed >= found)
        ? fill(words.read_done, { name, files: count(words.read_files, indexed) })
        : fill(words.read_running, { name, indexed: number(indexed), found: number(found) }))
    .join(" · ");

// The steps of the first run tick themselves.
const steps = ({ indexing }, called) => {
  const start = document.getElementById("start");
  if (!start) return;
  const done = (name, text) => {
    const step = start.querySelector(`[data-step="${name}"]`);
    const state = step.querySelector("[data-step-state]");
    if (state.textContent !== text) state.textContent = text;
    if (step.hasAttribute("data-done")) return;
    step.removeAttribute("data-now");
    step.setAttribute("data-done", "");
    step.querySelector(".step-n").replaceChildren(icon("check"));
    step.querySelector(".dot")?.remove();
    start.querySelector(".step:not([data-done])")?.setAttribute("data-now", "");
  };
  if (indexing?.length) {
    const text = reading(indexing);
    if (indexing.some(({ indexed }) => indexed > 0)) done("read", text);
    else if (text) start.querySelector('[data-step="read"] [data-step-state]').textContent = text;
  }
  if (called) done("calls", words.calls_done);
};
