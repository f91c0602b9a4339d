// A list of links under the keys: rows are moved along and opened.
import { cursor } from "./list.js";

const body = document.getElementById("list-rows");
if (body) {
  const rows = () => [...body.querySelectorAll("tr")];
  const visit = (row) => (location.href = row.querySelector("a[href]").href);
  const list = cursor(body, rows, visit);
  if (rows().length) rows()[0].tabIndex = 0;
  document.addEventListener("hanok:key", (event) => list.key(event.detail) && event.preventDefault());
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (!row || event.target.closest("a, button") || event.ctrlKey || event.metaKey || getSelection().toString()) return;
    visit(row);
  });
}
