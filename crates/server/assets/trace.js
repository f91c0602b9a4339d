// One trace: the tree under the keys, folding, the selected span's pane without reloading the page.
import { localise } from "./shell.js";
import { cursor } from "./list.js";

const tree = document.getElementById("tree");
const pane = document.getElementById("pane");
const all = [...tree.querySelectorAll(".tr")];
const level = (row) => Number(row.getAttribute("aria-level"));
const rows = () => all.filter((row) => !row.hidden);

let asked = 0;
const load = async (url, wait = 0) => {
  const mine = ++asked;
  // Keys held down pass over spans without asking for each.
  if (wait) await new Promise((done) => setTimeout(done, wait));
  if (mine !== asked) return;
  const fragment = new URL(url, location.href);
  fragment.hash = "";
  const shown = new URL(fragment);
  fragment.searchParams.set("fragment", "1");
  pane.setAttribute("aria-busy", "true");
  const response = await fetch(fragment).catch(() => null);
  if (mine !== asked) return;
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
  for (const link of tree.querySelectorAll("a.nm")) {
    const to = new URL(link.href);
    if (tab) to.searchParams.set("tab", tab);
    link.href = to;
  }
};
const select = (row) => load(row.querySelector("a.nm").href, 60);
const reveal = () => {
  // On a phone the pane lies below the tree.
  if (matchMedia("(max-width: 720px)").matches) pane.scrollIntoView({ behavior: "smooth" });
  else pane.focus({ preventScroll: true });
};
const list = cursor(tree, rows, reveal, select);

const fold = (row, open) => {
  if (!row.hasAttribute("aria-expanded")) return;
  row.setAttribute("aria-expanded", String(open));
  // Rows of a folded part inside stay folded.
  let closed = null;
  for (let next = all[all.indexOf(row) + 1]; next && level(next) > level(row); next = all[all.indexOf(next) + 1]) {
    if (closed !== null && level(next) <= closed) closed = null;
    next.hidden = !open || closed !== null;
    if (closed === null && next.getAttribute("aria-expanded") === "false") closed = level(next);
  }
};
const parent = (row) => {
  for (let at = all.indexOf(row) - 1; at >= 0; at--) if (level(all[at]) < level(row)) return all[at];
};

tree.addEventListener("click", (event) => {
  const row = event.target.closest(".tr");
  if (!row || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  if (event.target.closest(".twist:not(.none)")) return fold(row, row.getAttribute("aria-expanded") !== "true");
  list.to(row);
  if (matchMedia("(max-width: 720px)").matches) reveal();
});
pane.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-tab]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  load(link.href);
});

document.addEventListener("hanok:key", (event) => {
  const key = event.detail.key;
  const row = list.current() ?? rows()[0];
  const inside = tree.contains(document.activeElement);
  if (list.key(event.detail)) return event.preventDefault();
  const left = key === "h" || (key === "ArrowLeft" && inside);
  const right = key === "l" || (key === "ArrowRight" && inside);
  if (!row || (!left && !right)) return;
  event.preventDefault();
  const open = row.getAttribute("aria-expanded");
  if (left && open === "true") fold(row, false);
  else if (left) list.to(parent(row));
  else if (open === "false") fold(row, true);
  else if (open === "true") list.to(all[all.indexOf(row) + 1]);
});
