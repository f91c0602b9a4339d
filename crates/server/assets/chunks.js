// Two ways to cut a document: turning a knob cuts it again on the server and exchanges the side that is tried.
// Nothing is stored there, and the settings stand in the address.
import { fill, localise, toast, words } from "./shell.js";

const WAIT_MS = 250;
let timer = 0, asked = null;

const below = (panel) => {
  const nodes = [...panel.childNodes];
  return nodes.slice(nodes.indexOf(panel.querySelector("#knobs")) + 1);
};

const turn = async () => {
  const form = document.getElementById("knobs");
  if (!form || !form.checkValidity()) return;
  const address = new URL(location.href);
  address.search = new URLSearchParams(new FormData(form)).toString();
  address.hash = "";
  const fragment = new URL(address);
  fragment.searchParams.set("fragment", "1");
  asked?.abort();
  asked = new AbortController();
  const side = document.getElementById("tried");
  side.setAttribute("aria-busy", "true");
  let why = "";
  try {
    const response = await fetch(fragment, { signal: asked.signal });
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("tried");
    if (response.ok && fresh) {
      // The knob in hand stays: only what stands below is exchanged.
      for (const node of below(side)) node.remove();
      side.append(...below(fresh));
      localise(side);
      history.replaceState(history.state, "", address);
    } else why = String(response.status);
  } catch (error) {
    if (error.name === "AbortError") return;
    why = error.message;
  }
  side.removeAttribute("aria-busy");
  if (why) toast(fill(words.knowledge.cut_failed, { why }), "warn");
};

document.addEventListener("input", (event) => {
  if (!event.target.closest("#knobs")) return;
  clearTimeout(timer);
  timer = setTimeout(turn, event.target.matches("select") ? 0 : WAIT_MS);
});
document.addEventListener("submit", (event) => {
  if (event.target.id !== "knobs") return;
  event.preventDefault();
  clearTimeout(timer);
  turn();
});
