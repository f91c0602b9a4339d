// The list of traces: the cursor, live arrival that waits while the cursor is in the list, older pages.
import { count, el, icon, localise, toast, words } from "./shell.js";
import { cursor } from "./list.js";

const body = document.getElementById("traces-rows");
const scroll = document.getElementById("traces-scroll");
const liveButton = document.getElementById("live");

if (!body) document.addEventListener("hanok:trace", () => location.reload(), { once: true });
else {
  const rows = () => [...body.querySelectorAll("tr[data-id]")];
  const visit = (row) => (location.href = row.querySelector("a[href]").href);
  const list = cursor(body, rows, visit);
  if (rows().length) rows()[0].tabIndex = 0;
  document.addEventListener("hanok:key", (event) => list.key(event.detail) && event.preventDefault());
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-id]");
    if (!row || event.target.closest("a, button") || event.ctrlKey || event.metaKey || getSelection().toString()) return;
    visit(row);
  });

  // The filter: one parameter instead of several, none when empty.
  const form = document.getElementById("filter");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const filter = new FormData(form).getAll("filter").map((part) => part.trim()).filter(Boolean).join(" ");
    location.href = form.getAttribute("action") + (filter ? "?filter=" + encodeURIComponent(filter) : "");
  });
  const field = document.getElementById("filter-q");
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") field.blur();
    else if (event.key === "Backspace" && !field.value) [...form.querySelectorAll(".chip a")].at(-1)?.click();
  });

  // Live arrival. Waiting rows are counted in a row of their own and come in on demand.
  let live = sessionStorage.getItem("hanok-live") !== "off";
  let waiting = [];
  const paged = new URLSearchParams(location.search).has("cursor");
  const shown = (id) => body.querySelector(`tr[data-id="${CSS.escape(id)}"]`);
  const busy = () => list.current() !== undefined || body.contains(document.activeElement) || scroll.scrollTop > 30;
  const parse = (html) => {
    // The server's own row, as it is in the page; no model's text is markup in it.
    const template = document.createElement("template");
    template.innerHTML = html;
    const row = template.content.querySelector("tr[data-id]");
    if (row) localise(row);
    return row;
  };
  const enter = (row) => {
    const old = shown(row.dataset.id);
    if (old) {
      row.tabIndex = old.tabIndex;
      row.setAttribute("aria-selected", old.getAttribute("aria-selected"));
      old.replaceWith(row);
      return;
    }
    document.getElementById("traces-none")?.remove();
    body.prepend(row);
    if (!body.querySelector('tr[tabindex="0"]')) row.tabIndex = 0;
    const all = rows();
    for (const row of all.slice(1000)) row.remove();
  };
  const release = () => {
    const had = document.activeElement?.closest(".fresh");
    body.querySelector(".fresh")?.remove();
    const rows = waiting;
    waiting = [];
    rows.forEach(enter);
    scroll.scrollTop = 0;
    if (had && rows.length) list.to(rows.at(-1));
  };
  const announce = () => {
    let fresh = body.querySelector(".fresh");
    if (!fresh) {
      const button = el("button", { type: "button", class: "btn btn-quiet btn-sm" }, icon("up"), el("span"));
      button.onclick = release;
      fresh = el("tr", { class: "fresh" }, el("td", { colspan: "9" }, button));
      body.prepend(fresh);
    }
    fresh.querySelector("span").textContent = count(words.new_rows, waiting.length);
  };
  const arrive = (row) => {
    if (!row) return;
    if (shown(row.dataset.id)) return enter(row);
    waiting = waiting.filter((other) => other.dataset.id !== row.dataset.id);
    waiting.push(row);
    if (busy()) announce();
    else release();
  };
  document.addEventListener("hanok:trace", ({ detail }) => live && !paged && arrive(parse(detail.html)));

  // What was missed while the connection was down.
  document.addEventListener("hanok:reopened", async () => {
    if (!live || paged) return;
    const response = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => null);
    if (!response?.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const row of [...page.querySelectorAll("#traces-rows tr[data-id]")].reverse()) if (!shown(row.dataset.id)) {
      localise(row);
      arrive(document.adoptNode(row));
    }
  });

  const set = (on) => {
    live = on;
    liveButton.setAttribute("aria-pressed", String(live));
    liveButton.querySelector(".dot").className = live ? "dot dot-ok live" : "dot dot-off";
  };
  set(live && !paged);
  liveButton.addEventListener("click", () => {
    // An older page does not grow at its top.
    if (paged) return void (location.href = location.href.replace(/[?&]cursor=[^&]*/, ""));
    set(!live);
    sessionStorage.setItem("hanok-live", live ? "on" : "off");
    toast(live ? words.live_on : words.live_off);
    if (live) document.dispatchEvent(new CustomEvent("hanok:reopened"));
  });
  document.addEventListener("hanok:key", ({ detail }) => {
    if (detail.key !== "Escape") return;
    const row = list.current();
    if (row) row.setAttribute("aria-selected", "false");
    document.activeElement?.blur();
    if (waiting.length) release();
  });

  // Older traces join the list in place.
  const older = document.getElementById("traces-older");
  older?.addEventListener("click", async (event) => {
    if (event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const ghost = el("tr", { "aria-hidden": "true" }, ...Array.from({ length: 9 }, (_, at) => el("td", { class: [0, 3, 4, 7, 8].includes(at) ? "desk" : at === 2 ? "opt" : null }, el("span", { class: "sk sk-70" }))));
    body.append(ghost);
    const response = await fetch(older.href, { headers: { accept: "text/html" } }).catch(() => null);
    ghost.remove();
    if (!response?.ok) return void (location.href = older.href);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const row of page.querySelectorAll("#traces-rows tr[data-id]")) if (!shown(row.dataset.id)) {
      localise(row);
      body.append(document.adoptNode(row));
    }
    const next = page.getElementById("traces-older")?.getAttribute("href");
    if (next) older.setAttribute("href", next);
    else older.parentElement.remove();
  });
}
