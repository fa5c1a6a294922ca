// Keys that work everywhere, and the dialog that lists all of them.

import { button, fill, h } from "pytrace/dom.js";

const KEYS = [
  ["Anywhere", [
    ["1 – 5", "tree, timeline, flame graph, functions, patterns"],
    ["/", "search"],
    ["n, N", "next, previous hit"],
    ["g, G", "next, previous place where events are missing"],
    ["d", "to the details and back"],
    ["?", "these keys"],
    ["Esc", "close what is open"],
  ]],
  ["Tree", [
    ["↑ ↓, Page, Home, End", "move"],
    ["→ ←", "open, close; then to the first below, to the row above"],
    ["*, Shift → ←", "open, close all below"],
    ["Enter", "details"],
    ["[ ]", "previous, next repetition", "stepping"],
    ["s, t", "slowest repetition, template", "stepping"],
  ]],
  ["Timeline", [
    ["+ −, w s, wheel", "zoom"],
    ["← →, a d, drag, Shift wheel", "move in time"],
    ["↑ ↓", "move through levels and threads"],
    ["0", "all of it"],
    ["f", "to the selected call"],
  ]],
  ["Flame graph", [
    ["↑ ↓ ← →", "move"],
    ["Enter", "zoom to it"],
    ["Esc", "zoom out"],
  ]],
];

/** @param {Record<string, () => void>} actions by key */
export function bindKeys(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select, dialog")) return;
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

/** A button that shows the keys. */
export function helpButton(dialog) {
  fill(dialog,
    h("div", { class: "top" }, h("h2", { id: "help-title" }, "Keys"),
      button("×", () => dialog.close(), { class: "quiet", "aria-label": "Close" })),
    h("div", { class: "keys" }, ...KEYS.map(([name, keys]) => h("section", null, h("h3", null, name),
      h("dl", null, ...keys.flatMap(([key, text, kind]) => [h("dt", { class: kind }, h("kbd", null, key)), h("dd", { class: kind }, text)]))))));
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  return button("?", () => dialog.showModal(), { id: "help-button", class: "quiet", title: "Keys (?)", "aria-label": "Keys" });
}
