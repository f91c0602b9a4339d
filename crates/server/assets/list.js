// A list under the keys: one row has the cursor, arrows and letters move it.

/** Moves the cursor over rows() with j k, arrows, Home and End; open(row) on Enter and o. */
export const cursor = (container, rows, open, moved = () => {}) => {
  const current = () => rows().find((row) => row.getAttribute("aria-selected") === "true");
  const to = (row, focus = true) => {
    if (!row) return;
    for (const other of container.querySelectorAll('[aria-selected="true"][tabindex], [role="row"][tabindex="0"], tr[tabindex="0"]')) {
      other.setAttribute("aria-selected", "false");
      other.tabIndex = -1;
    }
    row.setAttribute("aria-selected", "true");
    row.tabIndex = 0;
    if (focus) row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
    moved(row);
  };
  const key = (event) => {
    const all = rows();
    const at = all.indexOf(current());
    const next = { j: at + 1, ArrowDown: at + 1, k: at - 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    // Arrows scroll, as everywhere, unless the list has the focus.
    const inside = container.contains(document.activeElement);
    if (next !== undefined && (inside || event.key === "j" || event.key === "k")) {
      if (!all.length) return false;
      to(all[Math.max(0, Math.min(all.length - 1, next))]);
      return true;
    }
    if ((event.key === "o" || (event.key === "Enter" && inside)) && at >= 0 && !event.target.closest?.("a[href]:not([tabindex='-1']), button")) {
      open(all[at]);
      return true;
    }
    return false;
  };
  return { to, key, current };
};
