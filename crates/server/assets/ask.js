// The talk: a question goes out, the answer streams in, its citations become chips and sources.
import { count, dollars, duration, el, fill, icon, number, root, typing, words } from "./shell.js";
import { cite, markUncovered, render } from "./answer.js";
import { chat, failure, note, recorded } from "./chat.js";

const $ = (id) => document.getElementById(id);
const talk = $("talk"), field = $("ask-q"), state = $("ask-state");
const modelChoice = $("ask-model"), collectionChoice = $("ask-collection");
const EXTRACT = "hanok/extract";
let turns = [];
let running = null;

// Which model: the two choices together name one.
const chosen = () => {
  const [model, collection] = [modelChoice.value, collectionChoice.value];
  if (model === EXTRACT) return collection ? `${EXTRACT}@${collection}` : EXTRACT;
  return collection ? `hanok/ask@${collection}:${model}` : model;
};
const fit = () => {
  const none = [...collectionChoice.options].find((option) => option.value === "");
  if (none) none.disabled = modelChoice.value === EXTRACT && collectionChoice.options.length > 1;
  if (none?.disabled && collectionChoice.value === "") collectionChoice.selectedIndex = 0;
  localStorage.setItem("hanok-ask", JSON.stringify([modelChoice.value, collectionChoice.value]));
};
const choose = (select, value) => {
  if ([...select.options].some((option) => option.value === value)) select.value = value;
};
try {
  const [model, collection] = JSON.parse(localStorage.getItem("hanok-ask")) ?? [];
  choose(modelChoice, model);
  choose(collectionChoice, collection);
} catch {
  localStorage.removeItem("hanok-ask");
}
modelChoice.addEventListener("change", fit);
collectionChoice.addEventListener("change", fit);
fit();

const keep = () => {
  try {
    sessionStorage.setItem("hanok-talk", JSON.stringify(turns.map(({ parts, ...turn }) => turn)));
  } catch {
    // A talk too long to keep is only not restored.
    sessionStorage.removeItem("hanok-talk");
  }
};

// A source page of this server is reached relative to this page, whatever name the server goes by.
const place = (url) => {
  const own = /\/(sources\/[0-9a-f]{16}(?:\?[^#]*)?(?:#.*)?)$/.exec(url ?? "");
  if (own) return root + own[1];
  return /^https?:\/\//.test(url ?? "") ? url : null;
};
const title = ({ title, source, url }) => title || source || url;
const range = ({ start, end }) => (start == null ? null : fill(words.bytes, { start: number(start), end: number(end) }));

let previews = 0;
const chip = (turn) => (index) => {
  const annotation = turn.annotations[index];
  const n = turn.cited.sources.find(({ items }) => items.some((item) => item.index === index))?.n;
  const id = `pv-${++previews}`;
  const link = el("a", { class: "cite", href: place(annotation.url), "data-n": n, "aria-describedby": id }, String(n));
  const where = [annotation.source, range(annotation)].filter(Boolean).join(" · ");
  const preview = el("span", { class: "cite-p", role: "tooltip", id }, el("b", {}, title(annotation)), el("span", {}, where));
  if (annotation.quote) preview.append(el("q", {}, annotation.quote));
  const show = () => showSources(turn, n);
  link.addEventListener("mouseenter", show);
  link.addEventListener("focus", show);
  link.addEventListener("click", (event) => {
    // Where nothing hovers, the first touch shows the quote and the second opens the source.
    if (matchMedia("(hover: none)").matches && document.activeElement !== link) {
      event.preventDefault();
      link.focus();
    }
  });
  return el("span", { class: "cite-w" }, link, preview);
};

const pane = { list: $("sources-list"), count: $("sources-count"), why: $("sources-why"), turn: null };
const welcomeSources = [...pane.list.childNodes];
const showSources = (turn, current) => {
  if (pane.turn !== turn || !turn || current === undefined) {
    pane.turn = turn;
    const sources = turn?.cited?.sources ?? [];
    const cited = sources.length;
    pane.count.textContent = !cited ? "" : turn.hits?.length >= cited ? fill(words.cited_of, { n: cited, all: number(turn.hits.length) }) : count(words.cited, cited);
    pane.why.replaceChildren();
    if (!turn) pane.list.replaceChildren(...welcomeSources);
    else if (turn.error) pane.list.replaceChildren();
    else if (!cited) pane.list.replaceChildren(el("p", { class: "pane-in dim" }, turn.done ? (fromDocuments(turn) ? words.no_sources : words.not_documents) : words.answering));
    else pane.list.replaceChildren(...sources.map((source) => sourceCard(source, turn.hits)), ...uncited(turn));
  }
  for (const card of pane.list.querySelectorAll(".src")) {
    const is = card.dataset.n === String(current);
    card.toggleAttribute("aria-current", false);
    if (is) {
      card.setAttribute("aria-current", "true");
      if (matchMedia("(min-width: 721px)").matches) card.scrollIntoView({ block: "nearest" });
    }
  }
};
// The hit a citation was taken from.
const within = (item, hits) => hits?.find((hit) => hit.source === item.source && hit.start <= item.start && item.end <= hit.end);
const score = (hit) => hit.score.toFixed(3);
const sourceCard = ({ n, items }, hits) => {
  const [first] = items;
  const hit = within(first, hits);
  const quotes = [...new Set(items.map(({ quote }) => quote).filter(Boolean))];
  const places = [...new Set(items.map(range).filter(Boolean))].join(", ");
  const card = el("section", { class: "src", "data-n": n },
    el("h3", {}, el("span", { class: "row" }, el("span", { class: "cite" }, String(n)), el("span", { class: "cut" }, title(first)), hit ? el("span", { class: "end num dim" }, score(hit)) : null)),
    el("p", { class: "path" }, first.source ?? "", ...(places ? [el("br"), hit?.heading ? `${hit.heading} · ${places}` : places] : [])),
    ...quotes.map((quote) => el("blockquote", {}, el("mark", {}, quote))));
  const open = place(first.url);
  card.append(el("div", { class: "row row-wrap" },
    quotes.length ? el("span", { class: "badge b-ok" }, icon("check"), words.verbatim) : el("span", { class: "badge" }, words.unchecked),
    open ? el("a", { class: "end", href: open }, words.open_source) : null));
  return card;
};

const uncited = (turn) => {
  const items = turn.cited.sources.flatMap(({ items }) => items);
  const rest = (turn.hits ?? []).filter((hit) => !items.some((item) => within(item, [hit])));
  if (!rest.length) return [];
  const rows = rest.map((hit) => el("tr", {},
    el("td", {}, el("a", { href: `${root}sources/${hit.source_id}?start=${hit.start}&end=${hit.end}#quote` }, hit.source), " ", el("span", { class: "dim" }, hit.heading ?? "")),
    el("td", { class: "num" }, score(hit))));
  return [el("details", { class: "data" }, el("summary", {}, count(words.uncited, rest.length)),
    el("table", { class: "table" }, el("thead", {}, el("tr", {}, el("th", {}, words.chunk), el("th", { class: "num" }, words.score))), el("tbody", {}, ...rows)))];
};

const fromDocuments = ({ model }) => model.startsWith("hanok/");
const scroller = () => (matchMedia("(max-width: 720px)").matches ? document.scrollingElement : $("talk-scroll"));
const follow = (change) => {
  const box = scroller();
  const near = box.scrollHeight - box.scrollTop - box.clientHeight < 60;
  change();
  if (near) box.scrollTop = box.scrollHeight;
};

const draw = (turn) => {
  turn.parts ??= {
    question: el("p", { class: "ask-q" }, turn.question),
    article: el("article", { class: "prose", "aria-live": "polite" }),
    wait: el("p", { class: "turn-wait" }, words.searching, el("span", { class: "caret", "aria-hidden": "true" })),
    notes: el("div", { class: "stack stack-sm" }),
    meta: el("div", { class: "turn-meta" }),
  };
  const { question, article, wait, notes, meta } = turn.parts;
  if (!question.isConnected) talk.append(question, wait, article, notes, meta);
  // The chips depend on the annotations, not only on the text: when those come, all is set anew.
  if (turn.drawn !== turn.annotations.length) article.replaceChildren();
  turn.drawn = turn.annotations.length;
  turn.cited = cite(turn.answer, turn.annotations);
  render(article, turn.cited.text, chip(turn));
  if (!turn.done && turn.answer) {
    const last = [...article.querySelectorAll("p, li, pre")].at(-1) ?? article;
    article.querySelector(".caret")?.remove();
    last.append(el("span", { class: "caret", "aria-hidden": "true" }));
  } else article.querySelector(".caret")?.remove();
  wait.hidden = turn.done || turn.answer !== "";
  article.hidden = turn.answer === "";
  article.setAttribute("aria-busy", String(!turn.done));
  meta.hidden = notes.hidden = !turn.done;
  if (turn.done) finish(turn);
};

const finish = (turn) => {
  const { article, notes, meta } = turn.parts;
  notes.replaceChildren();
  if (turn.error) {
    const again = el("button", { type: "button", class: "btn btn-sm" }, words.again);
    again.onclick = () => {
      for (const part of Object.values(turn.parts)) part.remove();
      turns = turns.filter((other) => other !== turn);
      ask(turn.question, turn.model);
    };
    notes.append(note("err", turn.error.message, turn.error.hint, again));
  }
  if (turn.stopped) notes.append(note("warn", words.stopped));
  const cited = turn.annotations.length;
  if (cited && turn.model.startsWith("hanok/ask") && !turn.stopped) {
    const n = markUncovered(article);
    if (n) notes.append(note("warn", count(words.uncovered, n)));
  }
  notes.hidden = !notes.childNodes.length;
  const verbatim = turn.annotations.filter(({ quote }) => quote).length;
  const facts = [];
  if (cited) facts.push(verbatim === cited
    ? el("span", { class: "badge b-ok" }, icon("check"), count(words.all_verbatim, cited))
    : el("span", { class: "badge b-warn" }, icon("warn"), fill(words.some_verbatim, { n: verbatim, all: cited })));
  facts.push(el("span", {}, turn.model));
  if (turn.ttft != null) facts.push(el("span", {}, fill(words.first_token, { time: duration(turn.ttft) })));
  if (turn.cost != null) facts.push(el("span", {}, dollars(turn.cost)));
  else if (turn.model.startsWith(EXTRACT)) facts.push(el("span", {}, words.local));
  if (turn.usage?.prompt_tokens) facts.push(el("span", {}, fill(words.tokens, { input: number(turn.usage.prompt_tokens), output: number(turn.usage.completion_tokens ?? 0) })));
  if (turn.trace) facts.push(el("a", { class: "end", href: `${root}traces/${turn.trace}` }, words.open_trace_link));
  meta.replaceChildren(...facts);
};

const stream = async (turn, body, signal) => {
  const started = performance.now();
  let frame = 0;
  const redraw = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      if (!turn.done) follow(() => draw(turn));
    });
  };
  for await (const { choices, usage } of chat(body, signal, (headers) => (turn.trace = headers.get("x-hanok-trace-id")))) {
    if (usage) turn.usage = usage;
    const delta = choices?.[0]?.delta ?? {};
    const said = delta.content ?? delta.refusal;
    if (said) {
      turn.ttft ??= performance.now() - started;
      turn.answer += said;
      redraw();
    }
    for (const { url_citation } of delta.annotations ?? []) if (url_citation) turn.annotations.push(url_citation);
  }
};

// What the trace knows beyond the answer: how much was retrieved, what it cost.
const lookUp = async (turn) => {
  const found = await recorded(turn.trace);
  if (!found || !turns.includes(turn)) return;
  if (Array.isArray(found.hits)) turn.hits = found.hits;
  if (found.cost != null) turn.cost = found.cost;
  follow(() => finish(turn));
  if (pane.turn === turn) showSources(turn);
  keep();
};

const busy = (on) => {
  $("ask-stop").hidden = !on;
  $("ask-send").hidden = on;
  state.textContent = on ? words.answering : "";
};
const head = () => {
  const question = turns[0]?.question;
  $("ask-title").textContent = question ? question.replace(/\s+/g, " ").slice(0, 200) : words.ask;
  document.title = `${question ? question.replace(/\s+/g, " ").slice(0, 60) : words.ask} · Hanok`;
  $("welcome").hidden = turns.length > 0;
  field.placeholder = question ? words.follow_up : words.ask_first;
};
const quoted = (text) => `'${text.replaceAll("'", String.raw`'\''`)}'`;
const offerCurl = (body) => {
  const { stream: _, stream_options: __, ...plain } = body;
  const button = $("ask-curl");
  button.dataset.copy = `curl ${new URL(root + "v1/chat/completions", location.href).href} \\\n  -H 'content-type: application/json' \\\n  -d ${quoted(JSON.stringify(plain))}`;
  button.dataset.curl = "";
  button.hidden = false;
};

const ask = async (question, model = chosen()) => {
  if (running) return;
  const said = turns.filter((turn) => turn.answer && !turn.error);
  const messages = [
    ...said.flatMap((turn) => [{ role: "user", content: turn.question }, { role: "assistant", content: turn.answer }]),
    { role: "user", content: question },
  ];
  const turn = { question, model, answer: "", annotations: [], done: false };
  turns.push(turn);
  const body = { model, messages, stream: true, stream_options: { include_usage: true } };
  offerCurl(body);
  head();
  draw(turn);
  showSources(turn);
  scroller().scrollTop = scroller().scrollHeight;
  running = new AbortController();
  busy(true);
  try {
    await stream(turn, body, running.signal);
  } catch (error) {
    if (error.name === "AbortError") turn.stopped = true;
    else turn.error = failure(error);
  }
  running = null;
  turn.done = true;
  busy(false);
  if (!turns.includes(turn)) return;
  follow(() => draw(turn));
  showSources(turn);
  keep();
  if (turn.trace) lookUp(turn);
};

const clear = () => {
  running?.abort();
  turns = [];
  talk.replaceChildren();
  $("ask-curl").hidden = true;
  delete $("ask-curl").dataset.curl;
  sessionStorage.removeItem("hanok-talk");
  head();
  showSources(null);
  field.focus();
};

$("ask-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const question = field.value.trim();
  if (!question || running) return;
  field.value = "";
  ask(question);
});
field.addEventListener("keydown", (event) => {
  // A syllable still being composed is finished by Enter, not sent (229: browsers that say so no other way).
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  $("ask-form").requestSubmit();
});
addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.isComposing || document.querySelector(":popover-open")) return;
  if (running) running.abort();
  else if (typing(event)) document.activeElement.blur();
});
$("ask-stop").addEventListener("click", () => running?.abort());
$("ask-new").addEventListener("click", clear);
document.addEventListener("hanok:new", (event) => {
  event.preventDefault();
  clear();
});
for (const example of document.querySelectorAll("[data-example]")) example.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  ask(example.dataset.example);
});
// A question in the address fills the field; sending it is the reader's to do.
const here = new URL(location.href);
if (here.searchParams.has("q")) {
  here.searchParams.delete("q");
  history.replaceState(history.state, "", here);
  field.focus();
}

document.addEventListener("hanok:pulse", ({ detail }) => {
  const notes = (detail.indexing ?? []).filter(({ indexed, found }) => indexed < found);
  const text = notes.map(({ name, indexed, found }) => fill(words.covering, { name, indexed: number(indexed), found: number(found) })).join(" ");
  const box = $("covering");
  if (box.textContent.trim() !== text) follow(() => box.replaceChildren(...(text ? [note("thin", text)] : [])));
});

// The last talk comes back: a citation leads away from this page and the reader returns.
try {
  turns = JSON.parse(sessionStorage.getItem("hanok-talk")) ?? [];
  for (const turn of turns) {
    delete turn.drawn;
    draw(turn);
  }
  if (turns.length) {
    showSources(turns.at(-1));
    const { question, model } = turns.at(-1);
    offerCurl({ model, messages: [{ role: "user", content: question }] });
    scroller().scrollTop = scroller().scrollHeight;
  }
} catch (error) {
  console.warn("the last talk could not be restored", error);
  turns = [];
  talk.replaceChildren();
  sessionStorage.removeItem("hanok-talk");
}
head();
