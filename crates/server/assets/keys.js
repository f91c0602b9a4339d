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
