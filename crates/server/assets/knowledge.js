// Collections: how far indexing is, as it goes on.
import { fill, number, words } from "./shell.js";

document.addEventListener("hanok:pulse", ({ detail }) => {
  for (const { name, indexed, found, indexing } of detail.indexing ?? []) {
    const place = document.querySelector(`[data-collection="${CSS.escape(name)}"]`);
    const state = place?.querySelector("[data-state]");
    if (!state || (!indexing && place.dataset.running === undefined)) continue;
    if (!indexing) {
      // What was counted when the page was made is not what there is now; who works on it is not interrupted.
      if (document.getElementById("main").contains(document.activeElement)) continue;
      return void location.reload();
    }
    place.dataset.running = "";
    const count = place.querySelector("[data-indexed]");
    if (count) count.textContent = number(indexed);
    const badge = state.querySelector(".badge");
    badge.className = "badge b-warn";
    badge.textContent = fill(words.knowledge.running, { indexed: number(indexed), found: number(found) });
  }
});
