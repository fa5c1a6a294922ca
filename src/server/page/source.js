// The lines of a function.

import { fill, h, visible } from "pytrace/dom.js";
import { stale } from "pytrace/api.js";

/**
 * Shows the source of a function, or why it can't be read.
 * @param {import("pytrace/api.js").Server} server
 * @param {HTMLElement} element
 * @param {number} code
 * @param {number} line the one to point out
 */
export async function drawSource(server, element, code, line) {
  try {
    const source = await server.source({ code });
    if (source.lines === undefined) {
      fill(element, reason(source.reason ?? "it can't be read"));
      return;
    }
    fill(element, lines(source, line));
    const marked = element.querySelector("[aria-current]");
    const view = element.querySelector(".source");
    if (marked && view) view.scrollTop = Math.max(0, marked.offsetTop - 3 * marked.offsetHeight);
  } catch (error) {
    if (!stale(error)) fill(element, reason(error.message));
  }
}

function reason(text) {
  return h("p", { class: "reason" }, `No source to show: ${visible(text)}.`);
}

function lines(source, line) {
  const list = h("ol", { class: "source", start: source.first, tabindex: 0, "aria-label": "Source" });
  list.style.setProperty("--digits", String(source.first + source.lines.length).length);
  source.lines.forEach((text, index) => {
    const number = source.first + index;
    list.append(h("li", {
      "data-line": number, "aria-current": number === line ? "location" : null,
      class: number >= source.line && number <= source.last ? "inside" : null,
    }, h("code", null, visible(text, true).slice(0, 2000))));
  });
  return list;
}
