// The table of functions.

import { bdi, cut, debounce, h, visible } from "pytrace/dom.js";
import { atLine, count, counted, percent, time } from "pytrace/format.js";
import { badges } from "pytrace/rows.js";
import { scopePicker } from "pytrace/scope.js";
import { Table, barCell } from "pytrace/table.js";

const COLUMNS = [
  {
    name: "name", title: "Function", sort: "name",
    cell: (row) => h("span", null, bdi(cut(row.name), { title: visible(cut(row.name, 2000)) }), " ", ...badges(row)),
  },
  { name: "where", title: "Location", sort: "file", cell: (row) => bdi(cut(row.file ?? "", 120) + atLine(row.line), { dir: "ltr" }) },
  { name: "calls", title: "Calls", sort: "calls", cell: (row) => count(row.calls) },
  { name: "total", title: "Total", sort: "total", cell: (row) => time(row.total) },
  { name: "self", title: "Self", sort: "self", cell: (row) => time(row.self) },
  { name: "part", title: "Share", sort: "share", cell: (row) => barCell(percent(row.share), row.share) },
  { name: "mean", title: "Mean", sort: "mean", cell: (row) => time(row.mean) },
  { name: "p50", title: "p50", sort: "p50", cell: (row) => time(row.p50) },
  { name: "p95", title: "p95", sort: "p95", cell: (row) => time(row.p95) },
  { name: "max", title: "Max", sort: "max", cell: (row) => time(row.max) },
  {
    name: "raised", title: "Raised", sort: "raised",
    cell: (row) => (row.raised > 0 ? h("span", { class: "exception" }, count(row.raised)) : ""),
  },
];

// Names are looked for from A on; of numbers the largest matter.
const ASCENDING = new Set(["name", "file"]);

export class Functions {
  #state;
  #table;
  #filter;
  #scope;

  constructor(panel, server, state, trace, failed) {
    this.#state = state;
    this.#filter = h("input", {
      type: "search", id: "function-filter", placeholder: "Name or file", "aria-label": "Filter functions by name or file", autocomplete: "off", spellcheck: "false",
      oninput: debounce(() => state.set({ fq: this.#filter.value }), 200),
    });
    this.#scope = scopePicker("functions-of", state);
    const missing = trace.lost > 0 ? `${counted(trace.lost, "event")} lost` : "Not whole";
    const lost = trace.whole === false && h("span", { class: "problem" }, `${missing}: counts and totals are lower bounds`);
    panel.append(h("div", { class: "tools" }, this.#filter, this.#scope.element, lost));
    this.#table = new Table(panel, "functions", "Functions", COLUMNS, (from, number) => server.functions({
      thread: this.#scope.thread(), sort: this.#sort, order: state.get("order"), from, count: number, q: state.get("fq"), ...state.filters(),
    }), (row) => String(row.code));
    this.#table.addEventListener("sort", ({ detail }) => {
      const again = detail === this.#sort;
      const usual = ASCENDING.has(detail) ? "asc" : "desc";
      const order = again ? (state.get("order") === "asc" ? "desc" : "asc") : usual;
      state.set({ sort: detail, order });
    });
    this.#table.addEventListener("chosen", ({ detail }) => state.set({ code: String(detail.code) }));
    this.#table.addEventListener("failed", ({ detail }) => failed(detail));
  }

  get #sort() {
    return this.#state.get("sort") || "self";
  }

  focus() {
    this.#table.focus();
  }

  /** The state changes that make other rows. */
  static concerns = ["thread", "of", "sort", "order", "fq", "grouping", "hide", "min", "only"];

  async sync() {
    if (document.activeElement !== this.#filter) this.#filter.value = this.#state.get("fq");
    this.#scope.show();
    await this.#table.reload({
      sort: this.#sort, order: this.#state.get("order"), chosen: this.#state.get("code"),
      empty: this.#state.get("fq") ? "No function is called that." : "No functions: the filters leave none.",
    });
  }

  choose() {
    this.#table.choose(this.#state.get("code"));
  }
}
