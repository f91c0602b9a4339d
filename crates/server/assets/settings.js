// Settings of this browser that no address says: whether single letters are keys.
import { letters, toast, words } from "./shell.js";

const group = document.getElementById("letters");
const show = () => {
  for (const button of group.querySelectorAll("button")) button.setAttribute("aria-pressed", String((button.dataset.letters === "on") === letters()));
};
group.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  letters(button.dataset.letters === "on");
  show();
  toast(letters() ? words.records.keys_on : words.records.keys_off);
});
show();
