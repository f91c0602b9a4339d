// An answer, set for reading while it arrives: the plain part of Markdown that models write, and citations.
// Everything is made of elements and texts: nothing a model writes is ever read as HTML.
// src/ui/prose.rs does the same on the server; change both together.
import { el } from "./shell.js";

const OPEN = "\uE000", SHUT = "\uE001";

/**
 * Numbers the citations and puts a chip's place, OPEN index SHUT, where each belongs: at its marker [n] when the
 * text has one, else at the end of the words it covers. Positions are code points, as the API gives them.
 */
export const cite = (text, annotations) => {
  const clean = text.replace(/[\uE000\uE001]/g, "\uFFFD");
  const points = [...clean];
  const markers = [];
  let at = 0;
  for (const match of clean.matchAll(/\[(\d{1,3})\]/g)) {
    at += [...clean.slice(markers.at(-1)?.after ?? 0, match.index)].length;
    markers.push({ n: Number(match[1]), from: at, to: (at += match[0].length), after: match.index + match[0].length, use: null });
  }
  const sources = new Map();
  const put = [];
  let next = Math.max(0, ...markers.map(({ n }) => n));
  annotations.forEach((annotation, index) => {
    const { start_index: start, end_index: end, url, quote } = annotation;
    const marker = markers.findLast((marker) => marker.use === null && marker.from >= start && marker.to <= end + 4);
    const known = [...sources.values()].find((source) => source.items.some((other) => other.url === url && other.quote === quote));
    const n = marker?.n ?? known?.n ?? ++next;
    if (marker) marker.use = index;
    else put.push({ at: Math.min(end, points.length), index });
    if (!sources.has(n)) sources.set(n, { n, items: [] });
    sources.get(n).items.push({ ...annotation, index });
  });
  for (const marker of markers) {
    marker.use ??= sources.get(marker.n)?.items[0].index ?? null;
    if (marker.use !== null) points.fill("", marker.from, marker.to)[marker.from] = OPEN + marker.use + SHUT;
  }
  for (const { at, index } of put.sort((a, b) => b.at - a.at)) points.splice(at, 0, OPEN + index + SHUT);
  return { text: points.join(""), sources: [...sources.values()].sort((a, b) => a.n - b.n) };
};

/** The blocks of a text, each with the lines it came from, so that only what changed is set again. */
export const blocks = (text) => {
  const made = [];
  const lines = text.split("\n");
  let open = false;
  const last = (kind) => (made.at(-1)?.kind === kind ? made.at(-1) : null);
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at].trim();
    let match;
    if (!line) {
      open = false;
    } else if ((match = /^(```|~~~)/.exec(line))) {
      const code = [];
      while (++at < lines.length && !lines[at].trim().startsWith(match[1])) code.push(lines[at]);
      made.push({ kind: "code", items: [code.join("\n")] });
      open = false;
    } else if ((match = /^#{1,6}\s+(.*)/.exec(line))) {
      made.push({ kind: "heading", items: [match[1]] });
      open = false;
    } else if ((match = /^[-*+•]\s+(.*)/.exec(line))) {
      (last("ul") ?? made[made.push({ kind: "ul", items: [] }) - 1]).items.push(match[1]);
      open = true;
    } else if ((match = /^(\d{1,3})[.)]\s+(.*)/.exec(line))) {
      (last("ol") ?? made[made.push({ kind: "ol", start: match[1], items: [] }) - 1]).items.push(match[2]);
      open = true;
    } else if ((match = /^>\s?(.*)/.exec(line))) {
      ((open && last("quote")) || made[made.push({ kind: "quote", items: [] }) - 1]).items.push(match[1]);
      open = true;
    } else if (line.startsWith("|") && /^\|[-:| ]*-[-:| ]*$/.test(lines[at + 1]?.trim() ?? "")) {
      const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
      const rows = [cells(line)];
      at++;
      while (lines[at + 1]?.trim().startsWith("|")) rows.push(cells(lines[++at]));
      made.push({ kind: "table", items: rows });
      open = false;
    } else {
      const list = open && (last("ul") ?? last("ol"));
      if (list) list.items.push(list.items.pop() + " " + line);
      else ((open && last("p")) || made[made.push({ kind: "p", items: [] }) - 1]).items.push(line);
      open = true;
    }
  }
  return made;
};

/** Code, bold, links and chips within a line, as nodes. */
const inline = (text, chip) => {
  const nodes = [];
  let rest = 0;
  const pattern = /`([^`]+)`|\*\*(?! )([\s\S]+?)\*\*|\[([^\]]+)\]\((https?:\/\/[^)\s]+)\)|\uE000(\d+)\uE001/g;
  for (const match of text.matchAll(pattern)) {
    if (match.index > rest) nodes.push(text.slice(rest, match.index));
    rest = match.index + match[0].length;
    const [, code, bold, label, url, index] = match;
    if (code) nodes.push(el("code", {}, code));
    else if (bold) nodes.push(el("strong", {}, ...inline(bold, chip)));
    else if (url) nodes.push(el("a", { href: url, rel: "noreferrer" }, label));
    else nodes.push(chip(Number(index)));
  }
  if (rest < text.length) nodes.push(text.slice(rest));
  return nodes;
};

const set = ({ kind, start, items }, chip) => {
  const lines = () => items.flatMap((line, at) => (at ? [el("br"), ...inline(line, chip)] : inline(line, chip)));
  switch (kind) {
    case "code": return el("pre", { class: "code", tabindex: "0" }, items[0]);
    case "heading": return el("p", {}, el("strong", {}, ...inline(items[0], chip)));
    case "ul": return el("ul", {}, ...items.map((item) => el("li", {}, ...inline(item, chip))));
    case "ol": return el("ol", { start: start === "1" ? null : start }, ...items.map((item) => el("li", {}, ...inline(item, chip))));
    case "quote": return el("blockquote", {}, ...lines());
    case "table": return el("div", { class: "scroll", tabindex: "0" }, el("table", { class: "table" },
      ...items.map((row, at) => el("tr", {}, ...row.map((cell) => el(at ? "td" : "th", {}, ...inline(cell, chip)))))));
    default: return el("p", {}, ...lines());
  }
};

/** Sets text into article; blocks that did not change are left alone. */
export const render = (article, text, chip) => {
  const fresh = blocks(text).map((block) => ({ block, key: JSON.stringify(block) }));
  const old = [...article.children];
  fresh.forEach(({ block, key }, at) => {
    if (old[at]?.blockKey === key) return;
    const made = set(block, chip);
    made.blockKey = key;
    if (old[at]) old[at].replaceWith(made);
    else article.append(made);
  });
  for (const extra of old.slice(fresh.length)) extra.remove();
};

/** Marks the passages of an answer that cite nothing; gives how many there are. */
export const markUncovered = (article) => {
  for (const block of article.querySelectorAll(":scope > p, :scope > :is(ul, ol) > li")) {
    const said = block.textContent.trim();
    // A line that leads to what follows, or is only a heading, claims nothing by itself.
    if (!said || block.querySelector(".cite, .uncovered") || /[:：]$/.test(said)) continue;
    if (block.children.length === 1 && block.firstElementChild.tagName === "STRONG" && block.textContent === block.firstElementChild.textContent) continue;
    block.append(el("span", { class: "uncovered" }, ...block.childNodes));
  }
  return article.querySelectorAll(".uncovered").length;
};
