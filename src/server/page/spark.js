// Small drawings of numbers.

import { svg, h } from "pytrace/dom.js";
import { time, count } from "pytrace/format.js";

/**
 * Times of repetitions in order, a bar for each.
 * @param {number[]} times
 * @param {number | null} [current] the one to point out
 */
export function spark(times, current = null) {
  const highest = Math.max(1, ...times);
  const width = 100 / Math.max(1, times.length);
  const drawing = svg("svg", {
    class: "spark", viewBox: "0 0 100 20", preserveAspectRatio: "none", role: "img",
    "aria-label": `times of the repetitions, ${time(Math.min(...times))} to ${time(highest)}`,
  });
  const gap = times.length > 40 ? 0.2 : 0.15;
  times.forEach((ns, index) => {
    const height = Math.max(1, (ns / highest) * 20);
    drawing.append(svg("rect", {
      x: (index * width).toFixed(2), y: (20 - height).toFixed(2),
      width: (width * (1 - gap)).toFixed(2), height: height.toFixed(2),
      class: index === current ? "current" : null,
    }));
  });
  return drawing;
}

/** Calls by their duration: `[from_ns, to_ns, calls]` each. */
export function histogram(buckets) {
  const most = Math.max(1, ...buckets.map(([, , calls]) => calls));
  const list = h("ul", { class: "histogram", "aria-label": "Calls by duration" });
  for (const [from, to, calls] of buckets) {
    const bar = h("span", { class: calls > 0 ? "fill" : null });
    bar.style.width = `${(calls / most) * 100}%`;
    list.append(h("li", null,
      h("span", { class: "range" }, `${time(from)} – ${time(to)}`),
      h("span", { class: "track" }, bar),
      h("span", { class: "number" }, count(calls))));
  }
  return list;
}
