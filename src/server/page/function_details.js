// What is known of all calls of a function.

import { bdi, button, cut, h, visible } from "pytrace/dom.js";
import { atLine, count, percent, time } from "pytrace/format.js";
import { histogram } from "pytrace/spark.js";

/**
 * @param {object} answer of `/api/function`
 * @param {{go: (thread: number, row: number) => void, open: (code: number) => void}} links
 */
export function functionParts(answer, links) {
  const { function: of } = answer;
  const to = (text, id, place, title) => button(text, () => links.go(place.thread, place.row), { id, disabled: !place, title });
  const figures = [
    ["Calls", count(of.calls)], ["Total", time(of.total)], ["Self", time(of.self)], ["Mean", time(of.mean)],
    ["Median", time(of.p50)], ["95 %", time(of.p95)], ["Longest", time(of.max)],
    ["Share", percent(of.share ?? 0)], ["Raised", of.raised > 0 ? count(of.raised) : ""],
  ].filter(([, text]) => text !== "");
  return [
    h("dl", { class: "facts" }, ...figures.map(([name, text]) => h("div", { class: "fact" }, h("dt", null, name), h("dd", null, text)))),
    h("div", { class: "steps" },
      to("First call", "function-first", answer.first, "In the tree"),
      to("Slowest call", "function-slowest", answer.slowest, answer.slowest ? time(answer.slowest.duration) : null)),
    answer.histogram?.length > 0 ? h("h3", null, "Durations") : null,
    answer.histogram?.length > 0 ? histogram(answer.histogram) : null,
    h("h3", null, "Callers"), relatives("function-callers", answer.callers, links.open),
    h("h3", null, "Callees"), relatives("function-callees", answer.callees, links.open),
  ].filter(Boolean);
}

function relatives(id, list, open) {
  if (!(list?.length > 0)) return h("p", { id, class: "reason" }, "none");
  const most = Math.max(1, ...list.map(({ total }) => total));
  return h("ul", { id, class: "relatives" }, ...list.map(({ code, name, file, line, calls, total }) => {
    const bar = h("span", { class: "share", "aria-hidden": "true" });
    bar.style.setProperty("--share", total / most);
    const title = visible(cut((file ?? "") + atLine(line), 400));
    return h("li", null, bar,
      code === null || code === undefined ? h("span", { class: "name" }, "(top of a thread)")
        : button(bdi(cut(name, 200)), () => open(code), { class: "link name", title }),
      h("span", { class: "number" }, `${count(calls)}×`), h("span", { class: "number" }, time(total)));
  }));
}
