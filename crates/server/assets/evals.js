// Samples under the keys: rows are moved along, and each opens what is behind it in its place.
import { cursor } from "./list.js";

const body = document.getElementById("eval-rows");
if (body) {
  const rows = () => [...body.querySelectorAll("tr.sample")];
  const detail = (row) => document.getElementById(row.getAttribute("aria-controls"));
  const turn = (row, open = detail(row).hidden) => {
    detail(row).hidden = !open;
    row.querySelector(".fold").setAttribute("aria-expanded", String(open));
  };
  for (const row of rows()) turn(row, !detail(row).hidden);
  const list = cursor(body, rows, (row) => turn(row));
  if (rows().length && !list.current()) rows()[0].tabIndex = 0;
  document.addEventListener("hanok:key", (event) => {
    const { key } = event.detail;
    const row = list.current();
    if (row && (key === "h" || key === "l")) {
      turn(row, key === "l");
      event.preventDefault();
    } else if (list.key(event.detail)) event.preventDefault();
  });
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr.sample");
    if (!row || event.target.closest("a") || getSelection().toString()) return;
    list.to(row);
    turn(row);
  });
}
