// Of one thread or of all: tables and flame graph can show either.

import { h } from "pytrace/dom.js";

/** @param {string} id @param {import("pytrace/state.js").State} state */
export function scopePicker(id, state) {
  const box = (value, text) => h("label", null,
    h("input", { type: "radio", name: id, id: `${id}-${value}`, value, onchange: () => state.set({ of: value, flame: "" }) }), h("span", null, text));
  const element = h("fieldset", { id, class: "segments" }, h("legend", { class: "unseen" }, "Threads"),
    box("all", "All threads"), box("thread", "This thread"));
  return {
    element,
    /** What requests say of it. */
    thread: () => state.scope,
    show() {
      element.querySelector(`[value=${state.get("of")}]`).checked = true;
    },
  };
}
