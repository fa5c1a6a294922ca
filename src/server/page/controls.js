// What is shown: thread, grouping, filters, and what is open.

import { button, fill, h } from "pytrace/dom.js";
import { parseTime, time } from "pytrace/format.js";
import { threadPicker } from "pytrace/threads.js";

const GROUPINGS = [
  ["near", "Similar", "Fold what repeats, also where repetitions differ a little"],
  ["exact", "Exact", "Fold only repetitions that are the same"],
  ["none", "Off", "Every call on its own"],
];

/**
 * The controls above the view.
 * @param {HTMLElement} element
 * @param {HTMLElement} opening for what opens and closes rows of the tree
 * @param {object} trace as `/api/trace` has it
 * @param {import("pytrace/state.js").State} state
 * @param {import("pytrace/tree.js").Tree} tree
 */
export function drawControls(element, opening, trace, state, tree) {
  const threads = threadPicker(trace, (thread) => state.set({ thread, at: "", open: "", top: 0, from: 0, to: 0, flame: "" }));
  const grouping = h("fieldset", { id: "grouping", class: "segments" }, h("legend", null, "Patterns"),
    ...GROUPINGS.map(([value, text, title]) => h("label", { title },
      h("input", { type: "radio", name: "grouping", value, id: `grouping-${value}`, onchange: () => state.set({ grouping: value, open: "" }) }),
      h("span", null, text))));

  const imports = toggle("hide-imports", "Hide imports", () => hide());
  const external = toggle("hide-external", "Hide external", () => hide());
  const exceptions = toggle("only-exceptions", "Only exceptions", (on) => state.set({ only: on ? "exceptions" : "" }));
  const least = h("input", {
    type: "text", id: "min-duration", size: 7, placeholder: "0 ms", autocomplete: "off", inputmode: "text", "aria-describedby": "min-problem",
    onchange: () => takeLeast(), onkeydown: (event) => event.key === "Enter" && takeLeast(),
  });
  const problem = h("span", { id: "min-problem", class: "problem", role: "status" });
  const clear = button("Clear filters", () => clearFilters(state), { id: "clear-filters", class: "quiet" });
  const filters = h("div", { id: "filters", class: "group" }, imports, external, exceptions,
    h("label", { class: "field" }, "At least ", least), problem, clear);
  const fold = button("Options", () => {
    const open = filters.classList.toggle("open");
    fold.setAttribute("aria-expanded", String(open));
  }, { id: "filters-toggle", "aria-expanded": "false", "aria-controls": "filters" });

  fill(opening,
    button("Expand all", () => tree.everything("all"), { id: "expand-all" }),
    button("Collapse all", () => tree.everything("none"), { id: "collapse-all" }),
    button("Expand patterns", () => tree.patterns("*"), { id: "expand-patterns" }),
    button("Collapse patterns", () => tree.patterns("-"), { id: "collapse-patterns" }),
    button("Reset", () => state.set({ open: "" }), { id: "reset-open", title: "Open what fills a screen", class: "quiet" }));

  fill(element, ...threads.elements, grouping, fold, filters);

  function hide() {
    const on = (label) => label.querySelector("input").checked;
    const hidden = [on(imports) ? "imports" : "", on(external) ? "external" : ""].filter(Boolean);
    state.set({ hide: hidden.join(",") });
  }

  function takeLeast() {
    const ns = parseTime(least.value);
    least.setAttribute("aria-invalid", String(ns === null));
    problem.textContent = ns === null ? "a time, like 1.5ms" : "";
    if (ns !== null) state.set({ min: ns });
  }

  return function show() {
    threads.show(state.get("thread"));
    const chosen = element.querySelector(`#grouping-${state.get("grouping")}`);
    if (chosen) chosen.checked = true;
    imports.querySelector("input").checked = state.get("hide").includes("imports");
    external.querySelector("input").checked = state.get("hide").includes("external");
    exceptions.querySelector("input").checked = state.get("only") !== "";
    if (document.activeElement !== least) least.value = state.get("min") > 0 ? time(state.get("min")) : "";
    const active = filtersSet(state);
    clear.hidden = active === 0;
    fold.textContent = active > 0 ? `Options (${active})` : "Options";
    for (const id of ["#expand-patterns", "#collapse-patterns"]) opening.querySelector(id).disabled = state.get("grouping") === "none";
    opening.hidden = state.get("view") !== "tree";
  };
}

function toggle(id, text, change) {
  return h("label", { class: "check" },
    h("input", { type: "checkbox", id, onchange: (event) => change(event.target.checked) }), ` ${text}`);
}

/** How many filters leave something out. */
export function filtersSet(state) {
  return state.get("hide").split(",").filter(Boolean).length + (state.get("min") > 0 ? 1 : 0) + (state.get("only") ? 1 : 0);
}

export function clearFilters(state) {
  state.set({ hide: "", min: 0, only: "" });
}
