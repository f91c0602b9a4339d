// One trace: the tree under the keys, folding, the selected span's pane without reloading the page. Of a large
// tree only the rows in view and some around them are in the page; the others are fetched as they come near.
import { el, fill, localise, root, toast, words } from "./shell.js";

/** Up to so many visible rows all are in the page: for printing, and for the browser's own search. */
const WHOLE = 600;
/** Rows are drawn and fetched in blocks of so many, with one more on each side of what is seen. */
const BLOCK = 100;
const svg = "http://www.w3.org/2000/svg";

const tree = document.getElementById("tree");
const pane = document.getElementById("pane");
const scroller = document.getElementById("tree-scroll");
const head = tree.querySelector(".tr-h");
let total = Number(tree.dataset.total);
const address = `${root}traces/${tree.dataset.trace}`;
const small = matchMedia("(max-width: 720px)");

const rows = new Map();
const at = (row) => Number(row.dataset.at);
const keep = (row) => rows.set(at(row), row);
for (const row of tree.querySelectorAll(".tr")) keep(row);

// The shape: the depth of each span in tree order, which are folded, which are visible.
let depths = [...rows.values()].map((row) => Number(row.getAttribute("aria-level")) - 1);
let failed = null;
const folded = new Set();
let visible = [];
let whole = rows.size === total;
const parent = (index) => depths[index + 1] > depths[index];
const reshape = () => {
  visible = [];
  for (let index = 0; index < total; index++) {
    visible.push(index);
    if (!folded.has(index)) continue;
    const level = depths[index];
    while (depths[index + 1] > level) index++;
  }
};
/** Where a span is among the visible, or the one above it that hides it. */
const position = (index) => {
  let [low, high] = [0, visible.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (visible[middle] <= index) low = middle;
    else high = middle - 1;
  }
  return low;
};

let current = [...rows.values()].find((row) => row.tabIndex === 0);
current = current ? at(current) : 0;
let selected = tree.querySelector('.tr[aria-selected="true"]') ? current : -1;

// What is drawn: gaps of the height of what is not, rows, ghosts of rows on their way.
const gap = () => {
  const made = document.createElementNS(svg, "svg");
  made.setAttribute("class", "tr-gap");
  made.setAttribute("width", "1");
  made.setAttribute("aria-hidden", "true");
  return made;
};
const gaps = [gap(), gap()];
let height = [...rows.values()][0]?.offsetHeight || 28;
/** How far down in the scrolled region the rows begin. */
const base = () => tree.getBoundingClientRect().top - scroller.getBoundingClientRect().top + scroller.scrollTop + head.offsetHeight;
const bring = (index) => {
  const top = base() + position(index) * height;
  const from = scroller.scrollTop + head.offsetHeight;
  if (top < from || top + height > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = Math.max(0, top - scroller.clientHeight / 2);
};
let shown = { from: -1, to: -1 };
const asked = new Map();

const ghost = (index) => {
  const row = el("div", { class: "tr ghost", role: "row", "aria-level": depths[index] + 1, "aria-rowindex": index + 2, "aria-busy": "true", tabindex: "-1", "data-at": index },
    el("div", { class: "tr-n", role: "gridcell" }, el("span", { class: "sk sk-50" }), el("span", { class: "vh" }, words.records.row_waiting)),
    el("div", { class: "tr-d", role: "gridcell" }), el("div", { class: "tr-b", role: "gridcell" }));
  return row;
};
const dress = (row) => {
  const index = at(row);
  if (parent(index)) row.setAttribute("aria-expanded", String(!folded.has(index)));
  row.setAttribute("aria-selected", String(index === selected));
  row.tabIndex = index === current ? 0 : -1;
  return row;
};
const draw = (force = false) => {
  if (!whole) return;
  let [from, to] = [0, visible.length];
  if (visible.length > WHOLE) {
    const view = scroller.getBoundingClientRect();
    const top = tree.getBoundingClientRect().top + head.offsetHeight;
    const first = Math.floor((Math.max(view.top, 0) - top) / height);
    const last = Math.ceil((Math.min(view.bottom, innerHeight) - top) / height);
    from = Math.max(0, Math.floor(first / BLOCK) * BLOCK - BLOCK);
    to = Math.min(visible.length, Math.ceil(last / BLOCK) * BLOCK + BLOCK);
    from = Math.min(from, Math.max(0, to - BLOCK));
  }
  if (!force && from === shown.from && to === shown.to) return;
  shown = { from, to };
  const focused = document.activeElement?.closest?.("#tree .tr");
  const drawn = [];
  const missing = [];
  for (let place = from; place < to; place++) {
    const index = visible[place];
    const row = rows.get(index);
    if (!row) missing.push(index);
    drawn.push(dress(row ?? ghost(index)));
  }
  gaps[0].setAttribute("height", from * height);
  gaps[1].setAttribute("height", (visible.length - to) * height);
  tree.replaceChildren(head, gaps[0], ...drawn, gaps[1]);
  if (focused) (drawn.find((row) => row.dataset.at === focused.dataset.at) ?? scroller).focus({ preventScroll: true });
  if (missing.length) fetchRows(missing[0], missing.at(-1) + 1);
};
/** Rows that are no longer near are let go, so that a long look at a large trace does not fill the memory. */
const forget = () => {
  if (rows.size <= 1500) return;
  const near = new Set(visible.slice(Math.max(0, shown.from - 300), shown.to + 300));
  for (const index of rows.keys()) if (!near.has(index) && index !== current) rows.delete(index);
};
const fetchRows = async (from, to) => {
  to = Math.min(to, from + 500);
  const name = `${from}-${to}`;
  if (asked.has(name)) return;
  asked.set(name, true);
  const here = new URLSearchParams(location.search);
  const tab = here.get("tab") ? `&tab=${here.get("tab")}` : "";
  const response = await fetch(`${address}?rows=${name}${tab}`).catch(() => null);
  asked.delete(name);
  if (!response?.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const row of page.querySelectorAll(".tr")) keep(document.adoptNode(row));
  forget();
  draw(true);
};

/** The shape of a tree that came in part. */
const outline = async () => {
  const response = await fetch(`${address}?outline=1`).catch(() => null);
  if (!response?.ok) return;
  const shape = await response.json();
  const first = [...rows.keys()][0] ?? 0;
  if (shape.depths.length !== total) {
    // Spans have arrived since the page was made, and rows may have other places.
    total = shape.depths.length;
    rows.clear();
    selected = -1;
    current = Math.min(current, total - 1);
    tree.setAttribute("aria-rowcount", total + 1);
  }
  ({ depths, failed } = shape);
  whole = true;
  reshape();
  const kept = scroller.scrollTop;
  document.getElementById("tree-more")?.remove();
  draw(true);
  scroller.scrollTop = kept + position(first) * height;
  if (selected >= 0) bring(selected);
  draw();
  early.splice(0).forEach(act);
};
if (whole) {
  reshape();
  failed = [...rows.values()].filter((row) => row.querySelector(".tr-n > .k-err")).map(at);
  if (selected >= 0 && !small.matches) bring(selected);
} else outline();
let waiting = false;
const scrolled = () => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    draw();
  });
};
if (total > WHOLE) {
  scroller.addEventListener("scroll", scrolled, { passive: true });
  addEventListener("scroll", scrolled, { passive: true });
  addEventListener("resize", () => {
    height = tree.querySelector(".tr")?.offsetHeight || height;
    draw(true);
  });
}

// The pane.
let loading = 0;
const load = async (url, wait = 0) => {
  const mine = ++loading;
  // Keys held down pass over spans without asking for each.
  if (wait) await new Promise((done) => setTimeout(done, wait));
  if (mine !== loading) return;
  const fragment = new URL(url, location.href);
  fragment.hash = "";
  const shown = new URL(fragment);
  fragment.searchParams.set("fragment", "1");
  pane.setAttribute("aria-busy", "true");
  const response = await fetch(fragment).catch(() => null);
  if (mine !== loading) return;
  if (!response?.ok) return void (location.href = shown);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const focused = pane.contains(document.activeElement) ? document.activeElement.id : null;
  pane.replaceChildren(...page.body.childNodes);
  pane.scrollTop = 0;
  pane.removeAttribute("aria-busy");
  localise(pane);
  if (focused) document.getElementById(focused)?.focus();
  history.replaceState(history.state, "", shown);
  const tab = shown.searchParams.get("tab");
  for (const link of rows.values()) {
    const name = link.querySelector("a.nm");
    const to = new URL(name.href);
    if (tab) to.searchParams.set("tab", tab);
    name.href = to;
  }
};
const reveal = () => {
  // On a phone the pane lies below the tree.
  if (small.matches) pane.scrollIntoView({ behavior: "smooth" });
  else pane.focus({ preventScroll: true });
};

/** Moves the cursor to a span and shows it in the pane. */
const to = async (index, focus = true) => {
  const before = rows.get(current);
  const row = rows.get(index);
  current = index;
  for (const other of tree.querySelectorAll('.tr[tabindex="0"], .tr[aria-selected="true"]')) {
    other.tabIndex = -1;
    other.setAttribute("aria-selected", "false");
  }
  selected = index;
  if (before) before.tabIndex = -1;
  if (row?.isConnected) {
    dress(row);
    if (focus) row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
    load(row.querySelector("a.nm").href, 60);
    return;
  }
  // It is far away: there first, then it is fetched, then it is there.
  bring(index);
  draw(true);
  for (let tries = 0; tries < 100 && !rows.get(index)?.isConnected; tries++) await new Promise((done) => setTimeout(done, 20));
  const come = rows.get(index);
  if (current !== index || !come?.isConnected) return;
  dress(come);
  if (focus) come.focus({ preventScroll: true });
  load(come.querySelector("a.nm").href);
};
const fold = (index, open) => {
  if (!parent(index)) return;
  if (open) folded.delete(index);
  else folded.add(index);
  reshape();
  // What hides the cursor takes it.
  const holder = visible[position(current)];
  if (holder !== current) current = holder;
  draw(true);
};
const above = (index) => {
  for (let other = index - 1; other >= 0; other--) if (depths[other] < depths[index]) return other;
  return index;
};

tree.addEventListener("click", (event) => {
  const row = event.target.closest(".tr");
  if (!row || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const index = at(row);
  if (event.target.closest(".twist:not(.none)")) return fold(index, folded.has(index));
  to(index);
  if (small.matches) reveal();
});
pane.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-tab]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  load(link.href);
});

/** Keys that came before the shape of the tree was known; they take effect when it is. */
const early = [];
document.addEventListener("hanok:key", (event) => (whole ? act(event) : early.push(event)));
const act = (event) => {
  const { key, target } = event.detail;
  const inside = tree.contains(document.activeElement) || document.activeElement === scroller;
  const place = position(current);
  const page = Math.max(1, Math.floor(scroller.clientHeight / height) - 2);
  const steps = { j: 1, k: -1, ...(inside ? { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity } : {}) };
  if (key in steps) {
    event.preventDefault();
    return void to(visible[Math.max(0, Math.min(visible.length - 1, place + steps[key]))]);
  }
  if (key === "o" || (key === "Enter" && inside && !target.closest?.("a[href]:not([tabindex='-1']), button"))) {
    event.preventDefault();
    return reveal();
  }
  if (key === "e" && (failed?.length ?? 0)) {
    event.preventDefault();
    const next = failed.find((index) => index > current) ?? failed[0];
    for (let holder = visible[position(next)]; holder !== next; holder = visible[position(next)]) fold(holder, true);
    return void to(next);
  }
  const left = key === "h" || (key === "ArrowLeft" && inside);
  const right = key === "l" || (key === "ArrowRight" && inside);
  if (!left && !right) return;
  event.preventDefault();
  const open = parent(current) && !folded.has(current);
  if (left && open) fold(current, false);
  else if (left) to(above(current));
  else if (folded.has(current)) fold(current, true);
  else if (open) to(visible[place + 1]);
};

// A person's rating: one a trace, so that a second thought takes the place of the first.
const feedback = document.getElementById("feedback");
feedback.hidden = false;
feedback.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-rate]");
  if (!button) return;
  const { api, name, trace } = feedback.dataset;
  const body = { id: `${name}-${trace}`, trace_id: trace, name, value: Number(button.dataset.rate), source: "person" };
  const response = await fetch(api, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }).catch(() => null);
  if (!response?.ok) {
    const answer = await response?.json().catch(() => null);
    return toast(fill(words.records.view_failed, { why: answer?.error?.message ?? response?.status ?? words.unreachable }), "warn");
  }
  for (const other of feedback.children) other.setAttribute("aria-pressed", String(other === button));
  toast(words.records.rated);
});
