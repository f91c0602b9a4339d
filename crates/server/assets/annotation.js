// Labelling under the keys. A verdict is held back for a moment, so that it can be taken back before anybody could have
// seen it, nor its giver what others said; then it is kept, at the latest when the page is left.
import { fill, root, toast, words } from "./shell.js";

const said = words.annotation;
const HELD_MS = 6000;
let panel = document.getElementById("item");

if (panel) {
  let ids = panel.dataset.items.split(" ").filter(Boolean).map(Number);
  let current = Number(panel.dataset.item) || 0;
  let held = null, turn = 0;
  const parts = new Map();

  const status = document.getElementById("label-said");
  const address = (id) => {
    const url = new URL(location.href);
    url.searchParams.set("fragment", "1");
    if (id === undefined) url.searchParams.delete("item");
    else url.searchParams.set("item", id);
    return url;
  };
  const load = (id) => {
    if (!parts.has(id)) parts.set(id, fetch(address(id)).then((answer) => (answer.ok ? answer.text() : Promise.reject(new Error(answer.status)))));
    return parts.get(id);
  };
  // The server counts what is held back, too: where one stands is said here.
  const arrange = () => {
    const at = ids.indexOf(current);
    const place = panel.querySelector("[data-place]");
    if (place) place.textContent = fill(said.place, { n: at + 1, all: ids.length });
    const able = { previous: at > 0, next: at >= 0 && at + 1 < ids.length, skip: at >= 0 && ids.length > 1 };
    for (const step of panel.querySelectorAll("[data-step]")) step.hidden = !able[step.dataset.step];
    for (const undo of panel.querySelectorAll("[data-undo]")) {
      undo.hidden = !held;
      undo.querySelector("[data-undo-label]").textContent = held?.label ?? "";
    }
  };
  const show = async (id, comment = null) => {
    const mine = ++turn;
    current = 0;
    let text;
    try {
      text = await load(id);
    } catch (error) {
      parts.delete(id);
      if (mine === turn) toast(fill(said.not_kept, { why: error.message }), "warn");
      return;
    }
    // A part that was fetched once is not kept: what it shows may change.
    parts.delete(id);
    if (mine !== turn) return;
    const part = new DOMParser().parseFromString(text, "text/html").getElementById("item");
    panel.replaceWith(part);
    panel = part;
    current = Number(part.dataset.item) || 0;
    if (id === undefined) ids = part.dataset.items.split(" ").filter(Boolean).map(Number);
    if (comment && current) part.querySelector("textarea").value = comment;
    arrange();
    part.focus({ preventScroll: true });
    part.scrollIntoView({ block: "nearest" });
    const next = ids[ids.indexOf(current) + 1];
    if (current && next) load(next).catch(() => parts.delete(next));
  };

  const counts = (found) => {
    const tabs = document.querySelectorAll(".actions .seg a .dim");
    [found.waiting, found.differing, found.done].forEach((n, at) => {
      if (tabs[at] && typeof n === "number") tabs[at].textContent = n.toLocaleString("en-US");
    });
  };
  const keep = async () => {
    if (!held) return;
    const one = held;
    held = null;
    clearTimeout(one.timer);
    arrange();
    try {
      const answer = await fetch(`${root}api/annotations/items/${one.id}/${one.show}`, {
        method: "POST", keepalive: true, headers: { "content-type": "application/json" },
        body: JSON.stringify({ level: one.level, comment: one.comment, ...(one.who ? { who: one.who } : {}) }),
      });
      const found = await answer.json();
      if (answer.ok) counts(found.queue);
      else {
        toast(fill(said.not_kept, { why: found.error.message }), "warn");
        // Others may have said enough meanwhile; what failed otherwise comes again.
        if (answer.status !== 409) ids.splice(Math.min(one.at, ids.length), 0, one.id);
      }
    } catch (error) {
      ids.splice(Math.min(one.at, ids.length), 0, one.id);
      toast(fill(said.not_kept, { why: error.message }), "warn");
    }
    if (!current && !held) await show(undefined);
    else arrange();
  };
  const give = (button) => {
    if (!current) return;
    const at = ids.indexOf(current);
    const { show: kind, who, keys } = panel.dataset;
    const one = {
      id: current, at: Math.max(at, 0), level: Number(button.value), label: button.dataset.label, comment: panel.querySelector("textarea").value.trim(),
      show: kind, who: keys === "true" ? "" : who,
    };
    keep();
    if (at >= 0) ids.splice(at, 1);
    held = one;
    one.timer = setTimeout(keep, HELD_MS);
    status.textContent = fill(kind === "settle" ? said.settled : said.held, { label: one.label });
    show(ids[Math.min(one.at, ids.length - 1)] ?? 0);
  };
  const undo = () => {
    if (!held) return void toast(said.nothing_to_undo);
    const one = held;
    clearTimeout(one.timer);
    held = null;
    ids.splice(Math.min(one.at, ids.length), 0, one.id);
    status.textContent = said.undone;
    show(one.id, one.comment);
  };
  const step = (what) => {
    const at = ids.indexOf(current);
    if (at < 0) return;
    if (what === "skip") {
      if (ids.length < 2) return;
      ids.push(...ids.splice(at, 1));
      status.textContent = said.skipped;
      show(ids[Math.min(at, ids.length - 1)]);
    } else {
      const id = ids[at + (what === "next" ? 1 : -1)];
      if (id) show(id);
    }
  };

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("#item form.labels") || !event.submitter?.value) return;
    event.preventDefault();
    give(event.submitter);
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-undo]")) return undo();
    const link = event.target.closest("#item [data-step]");
    if (!link || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    step(link.dataset.step);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !event.target.matches?.("#item textarea")) return;
    panel.focus({ preventScroll: true });
    event.stopPropagation();
  });
  document.addEventListener("hanok:key", (event) => {
    const { key, repeat } = event.detail;
    const steps = { j: "next", k: "previous", s: "skip" };
    if (key in steps) step(steps[key]);
    else if (key === "u") undo();
    else if (key === "n") panel.querySelector("textarea")?.focus();
    else {
      const letter = CSS.escape(key.toLowerCase());
      const button = panel.querySelector(`[data-digit="${letter}"], [data-letter="${letter}"]`);
      if (!button) return;
      // A key that is held down says one thing once.
      if (!repeat) button.form.requestSubmit(button);
    }
    event.preventDefault();
  });
  addEventListener("pagehide", keep);
  document.addEventListener("visibilitychange", () => document.hidden && keep());
  arrange();
}
