// The table of patterns: the repeats that stand in no other.

import { bdi, cut, fill, h, visible } from "pytrace/dom.js";
import { count, counted, percent, range, time } from "pytrace/format.js";
import { scopePicker } from "pytrace/scope.js";
import { Table, barCell } from "pytrace/table.js";
import { threadName } from "pytrace/threads.js";

export class Patterns {
  #state;
  #table;
  #scope;
  #summary;

  /** @param {(summary: object) => void} summarised */
  constructor(panel, server, state, tree, trace, { failed, summarised }) {
    this.#state = state;
    this.#scope = scopePicker("patterns-of", state);
    this.#summary = h("p", { id: "patterns-summary", class: "summary" });
    panel.append(h("div", { class: "tools" }, this.#scope.element, this.#summary));
    const columns = [
      {
        name: "name", title: "Functions of a repetition",
        cell: (row) => h("span", { class: "names", title: visible(cut(row.names.join(" · "), 2000)) }, ...row.names.flatMap((name, index) => [index > 0 ? " · " : "", bdi(cut(name, 120))])),
      },
      { name: "repeats", title: "Times", sort: "count", cell: (row) => `${range(row.count)}×` },
      { name: "each", title: "Each", cell: (row) => `${range(row.calls_per_repetition)}${row.exact ? "" : " ~"}` },
      { name: "calls", title: "Calls", sort: "calls", cell: (row) => count(row.calls) },
      { name: "total", title: "Total", sort: "total", cell: (row) => time(row.total) },
      { name: "part", title: "Share", cell: (row) => barCell(percent(row.share), row.share) },
      { name: "mean", title: "Mean", sort: "mean", cell: (row) => `${time(row.mean)} ± ${time(row.deviation)}` },
      {
        name: "thread", title: "Thread",
        cell: (row) => {
          const thread = trace.threads.find(({ index }) => index === row.thread);
          return thread ? bdi(cut(threadName(thread), 60)) : "";
        },
      },
    ];
    this.#table = new Table(panel, "patterns", "Patterns", columns, async (from, number) => {
      const answer = await server.patterns({ thread: this.#scope.thread(), from, count: number, sort: state.get("psort"), ...state.filters() });
      if (answer.summary) {
        this.#say(answer.summary);
        summarised(answer.summary, this.#scope.thread());
      }
      return answer;
    }, (row) => `${row.thread}.${row.id}`);
    this.#table.addEventListener("sort", ({ detail }) => state.set({ psort: detail }));
    this.#table.addEventListener("chosen", ({ detail }) => tree.goTo(detail.thread, detail.row, detail.id));
    this.#table.addEventListener("failed", ({ detail }) => failed(detail));
  }

  focus() {
    this.#table.focus();
  }

  static concerns = ["thread", "of", "psort", "grouping", "hide", "min", "only"];

  async sync() {
    this.#scope.show();
    await this.#table.reload({
      sort: this.#state.get("psort"), order: "desc", chosen: `${this.#state.get("thread")}.${this.#state.get("at")}`,
      empty: this.#state.get("grouping") === "none" ? "Patterns are off." : "Nothing repeats here.",
    });
  }

  #say({ calls, rows, patterns, deepest, calls_in_patterns: inside }) {
    fill(this.#summary, `${counted(patterns, "pattern")}, nested up to ${count(deepest)} deep: ${count(calls)} calls → ${counted(rows, "row")}; ${calls > 0 ? percent(inside / calls) : "0 %"} of the calls repeat`);
  }
}
