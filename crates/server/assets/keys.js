// The page on keys: everything works without this; it moves the focus.
const field = document.getElementById("name");
const start = (event) => {
  if (!field) return;
  event.preventDefault();
  field.scrollIntoView({ block: "center" });
  field.focus({ preventScroll: true });
};
document.getElementById("new-key")?.addEventListener("click", start);
document.addEventListener("hanok:new", start);

// A question opened by key puts the focus on its answer; Escape takes it back.
for (const question of document.querySelectorAll("details.confirm")) question.addEventListener("toggle", () => {
  if (question.open) question.querySelector("form button").focus();
});
addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = document.querySelector("details.confirm[open]");
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
});
