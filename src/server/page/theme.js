// Light, dark, or as the system has it.

import { button } from "pytrace/dom.js";

const KEY = "pytrace-theme";
const NEXT = { system: "light", light: "dark", dark: "system" };
const SIGNS = { system: "◐", light: "☀", dark: "☾" };

/** A browser may forbid to keep anything: then the choice lasts as long as the page. */
function kept() {
  try {
    const theme = localStorage.getItem(KEY);
    return theme in NEXT ? theme : "system";
  } catch {
    return "system";
  }
}

function keep(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Nothing to be done about it.
  }
}

/**
 * A button that goes through the themes. `changed` is called when colours are new, also where the
 * system changed them.
 */
export function themeButton(changed) {
  let theme = kept();
  const control = button("", () => {
    theme = NEXT[theme];
    keep(theme);
    show();
    changed();
  }, { id: "theme", class: "quiet" });
  function show() {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    control.textContent = SIGNS[theme];
    control.title = `Colours: ${theme}`;
    control.setAttribute("aria-label", `Colours: ${theme}. Change to ${NEXT[theme]}.`);
  }
  show();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  return control;
}

/** Resolves custom properties to colours that a canvas takes. */
export function colors(names) {
  const probe = document.createElement("span");
  // Where the system forces its colours, all of these would be one: the timeline a black sheet.
  probe.style.forcedColorAdjust = "none";
  document.body.append(probe);
  const found = {};
  for (const name of names) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}
