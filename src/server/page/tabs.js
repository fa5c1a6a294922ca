// The views, as tabs.

import { fill, h } from "pytrace/dom.js";
import { VIEWS } from "pytrace/state.js";

const NAMES = { tree: "Tree", timeline: "Timeline", flame: "Flame graph", functions: "Functions", patterns: "Patterns" };

/** @param {(view: string) => void} choose */
export function drawTabs(element, choose) {
  const tabs = VIEWS.map((view, index) => h("button", {
    type: "button", role: "tab", id: `tab-${view}`, "aria-controls": `panel-${view}`, title: `${NAMES[view]} (${index + 1})`,
    onclick: () => choose(view),
  }, NAMES[view]));
  fill(element, ...tabs);
  element.addEventListener("keydown", (event) => {
    const at = tabs.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const tab = tabs[(to + tabs.length) % tabs.length];
    tab.focus();
    tab.click();
  });
  return function show(view) {
    for (const tab of tabs) {
      const chosen = tab.id === `tab-${view}`;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
    }
    for (const other of VIEWS) document.getElementById(`panel-${other}`).hidden = other !== view;
  };
}
