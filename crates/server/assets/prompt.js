// Prompts: the keys of their forms.
const form = document.querySelector("form[data-edit]");
const field = form?.querySelector("textarea");
const typed = field?.value;
let sent = false;

form?.addEventListener("submit", () => (sent = true));
form?.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.metaKey || event.ctrlKey) || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});
// What was typed is not lost by a click beside it.
addEventListener("beforeunload", (event) => {
  if (field && !sent && field.value !== typed) event.preventDefault();
});

const open = () => {
  const fold = document.getElementById("new");
  if (!fold) return false;
  fold.open = true;
  fold.scrollIntoView({ block: "start" });
  fold.querySelector("input[name=name]").focus({ preventScroll: true });
  return true;
};
document.querySelector("[data-new]")?.addEventListener("click", (event) => open() && event.preventDefault());
document.addEventListener("hanok:new", (event) => open() && event.preventDefault());
document.addEventListener("hanok:key", (event) => {
  // Used up here, so that the letter is not typed into the field.
  if (event.detail.key === "n" && open()) event.preventDefault();
  const edit = event.detail.key === "e" && document.querySelector("[data-edit-link]");
  if (!edit) return;
  event.preventDefault();
  edit.click();
});
