// The filter's field: it completes the words of the language and their values, and keeps filters as views.
import { el, fill, icon, toast, words } from "./shell.js";

const field = document.getElementById("filter-q");
const box = document.getElementById("filter-words");
if (field && box) {
  const known = JSON.parse(field.dataset.words);
  let shown = [], chosen = -1;
  /** The word the caret is in: where it begins, and what of it stands before the caret. */
  const here = () => {
    const before = field.value.slice(0, field.selectionStart);
    const start = before.search(/(?:"[^"]*"?|\S)*$/);
    return { start, text: before.slice(start).toLowerCase() };
  };
  const offers = ({ text }) => {
    for (const [word, hint, values] of known) {
      if (text.startsWith(word)) {
        const begun = text.slice(word.length).replace(/^"/, "");
        return values.filter((value) => value.toLowerCase().includes(begun) && value.toLowerCase() !== begun)
          .map((value) => ({ text: word + (/[\s"]/.test(value) ? `"${value.replaceAll('"', "")}"` : value), hint, done: true }));
      }
    }
    if (/[:>"]/.test(text)) return [];
    return known.filter(([word]) => word.startsWith(text)).map(([word, hint]) => ({ text: word, hint, done: false }));
  };
  const close = () => {
    box.hidden = true;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
    chosen = -1;
  };
  const choose = (at) => {
    chosen = at;
    [...box.children].forEach((item, index) => item.setAttribute("aria-selected", String(index === at)));
    if (at < 0) return void field.removeAttribute("aria-activedescendant");
    field.setAttribute("aria-activedescendant", box.children[at].id);
    box.children[at].scrollIntoView({ block: "nearest" });
  };
  const show = () => {
    shown = offers(here()).slice(0, 12);
    if (!shown.length) return close();
    box.replaceChildren(...shown.map(({ text, hint }, at) =>
      el("li", { id: `filter-word-${at}`, role: "option", "aria-selected": "false" }, el("span", { class: "mono" }, text), el("span", { class: "dim cut" }, hint))));
    box.hidden = false;
    field.setAttribute("aria-expanded", "true");
    choose(-1);
  };
  const take = (at) => {
    const { start } = here();
    const after = field.value.slice(field.selectionStart);
    const text = shown[at].text + (shown[at].done ? " " : "");
    field.value = field.value.slice(0, start) + text + after;
    field.setSelectionRange(start + text.length, start + text.length);
    if (shown[at].done) close();
    else show();
  };
  field.addEventListener("input", show);
  field.addEventListener("focus", show);
  field.addEventListener("blur", () => setTimeout(close, 120));
  field.addEventListener("keydown", (event) => {
    if (event.isComposing || box.hidden) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      choose((chosen + step + shown.length + (chosen < 0 && step < 0 ? 1 : 0)) % shown.length);
    } else if ((event.key === "Enter" || event.key === "Tab") && chosen >= 0) {
      event.preventDefault();
      event.stopPropagation();
      take(chosen);
    } else if (event.key === "Escape") {
      event.stopPropagation();
      close();
    }
  });
  box.addEventListener("mousedown", (event) => {
    const item = event.target.closest("li");
    if (!item) return;
    event.preventDefault();
    take([...box.children].indexOf(item));
  });
}

// Views.
const views = document.getElementById("views");
if (views) {
  const list = document.getElementById("views-list");
  const none = document.getElementById("views-none");
  const save = document.getElementById("views-save");
  const form = document.getElementById("filter");
  const filter = () => new FormData(form).getAll("filter").map((part) => part.trim()).filter(Boolean).join(" ");
  document.getElementById("views-open").hidden = false;
  const ask = async (method, place, body) => {
    const response = await fetch(views.dataset.api + place, {
      method, headers: { "content-type": "application/json", accept: "application/json" }, body: body && JSON.stringify(body),
    }).catch(() => null);
    const answer = await response?.json().catch(() => null);
    if (response?.ok) return answer ?? {};
    toast(fill(words.records.view_failed, { why: answer?.error?.message ?? response?.status ?? words.unreachable }), "warn");
    return null;
  };
  const show = async () => {
    save.hidden = !filter();
    const answer = await ask("GET", "");
    const all = answer?.views ?? [];
    none.hidden = all.length > 0;
    list.replaceChildren(...all.map(({ id, name, filter }) => {
      const gone = el("button", { type: "button", class: "btn btn-quiet btn-sm btn-ic", "aria-label": fill(views.dataset.delete, { name }) }, icon("close"));
      const item = el("li", {}, el("a", { href: `${views.dataset.traces}?filter=${encodeURIComponent(filter)}` }, el("b", {}, name), el("span", { class: "mono dim cut" }, filter)), gone);
      gone.onclick = async () => {
        if (!(await ask("DELETE", `/${encodeURIComponent(id)}`))) return;
        item.remove();
        toast(words.records.view_deleted);
      };
      return item;
    }));
  };
  views.addEventListener("toggle", (event) => event.newState === "open" && show());
  save.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!(await ask("POST", "", { name: new FormData(save).get("name").trim(), filter: filter() }))) return;
    save.reset();
    toast(words.records.view_saved);
    show();
  });
}
