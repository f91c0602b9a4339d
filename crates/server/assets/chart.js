// Charts under the keys: one stop of the tab key each, arrows along the points, what a point says in words below.

const dressed = (chart) => {
  const points = [...chart.querySelectorAll("a.hit")];
  const said = chart.closest(".panel")?.querySelector("[data-said]");
  const say = (point) => said && (said.textContent = point?.getAttribute("aria-label") ?? "");
  const to = (point) => {
    for (const other of points) other.setAttribute("tabindex", other === point ? "0" : "-1");
    point.focus();
  };
  chart.addEventListener("keydown", (event) => {
    const at = points.indexOf(event.target.closest("a.hit"));
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: points.length - 1 }[event.key];
    if (at < 0 || next === undefined) return;
    event.preventDefault();
    to(points[Math.max(0, Math.min(points.length - 1, next))]);
  });
  for (const name of ["focusin", "pointerover"]) chart.addEventListener(name, (event) => say(event.target.closest("a.hit")));
  for (const name of ["focusout", "pointerleave"]) chart.addEventListener(name, () => say(points.find((point) => point === document.activeElement)));
};
for (const chart of document.querySelectorAll("[data-chart]")) dressed(chart);

// A choice in a form without a button is sent by itself.
for (const field of document.querySelectorAll("select[data-send]")) field.addEventListener("change", () => field.form.requestSubmit());
