// All there is to say of what is selected: a call, a repeat, a gap, or a function.

import { bdi, button, cut, fill, h, visible } from "pytrace/dom.js";
import { stale } from "pytrace/api.js";
import { atLine, count, counted, percent, range, time } from "pytrace/format.js";
import { functionParts } from "pytrace/function_details.js";
import { gapTexts } from "pytrace/gaps.js";
import { gapOf, rowOf } from "pytrace/open.js";
import { badges, kindName, stepper } from "pytrace/rows.js";
import { drawSource } from "pytrace/source.js";
import { spark } from "pytrace/spark.js";

// Of a long way up, this many callers are shown at first.
const NEAREST = 5;
const LONG_VALUE = 400;

export class Details {
  #element;
  #server;
  #state;
  #tree;
  #start;
  #shown = "";

  /** @param {number} start when the recording begins, in ns */
  constructor(element, server, state, tree, start) {
    this.#element = element;
    this.#server = server;
    this.#state = state;
    this.#tree = tree;
    this.#start = start;
    element.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
  }

  /** Whether it is a function, not a call, that is looked at. */
  get #ofFunction() {
    return ["functions", "flame"].includes(this.#state.get("view")) && this.#state.get("code") !== "";
  }

  /** Brings the panel to what the state says. */
  async sync() {
    const [thread, at, code] = ["thread", "at", "code"].map((name) => this.#state.get(name));
    if (this.#ofFunction) await this.#once(`function ${code} ${this.#state.scope}`, () => this.#server.function({ code, thread: this.#state.scope, ...this.#state.filters() }), (answer) => this.#function(answer));
    else if (at.startsWith("c")) await this.#once(`call ${thread} ${at} ${JSON.stringify(this.#state.filters())}`, () => this.#server.call({ thread, row: rowOf(at), ...this.#state.filters() }), (answer) => this.#call(thread, answer));
    else if (at.startsWith("r")) this.#repeat(this.#tree.row);
    else if (at.startsWith("g")) await this.#once(`gap ${thread} ${at} ${JSON.stringify(this.#state.filters())}`, () => this.#server.gap({ thread, gap: gapOf(at), ...this.#state.filters() }), (answer) => this.#gap(answer));
    else this.#hide();
  }

  close() {
    this.#state.set(this.#ofFunction ? { code: "" } : { at: "" });
    this.#hide();
    if (this.#state.get("view") === "tree") this.#tree.focus();
  }

  focus() {
    this.#element.querySelector("h2")?.focus();
  }

  #hide() {
    this.#shown = "";
    this.#element.hidden = true;
  }

  /** Shows what is asked for, unless it is shown already or something else is by then. */
  async #once(key, ask, draw) {
    if (this.#shown === key) return;
    this.#shown = key;
    try {
      const answer = await ask();
      if (this.#shown === key) await draw(answer);
    } catch (error) {
      if (stale(error)) return;
      this.#put(h("h2", { tabindex: -1 }, "Details"), h("p", { class: "problem" }, visible(error.message)));
    }
  }

  #put(title, ...parts) {
    this.#element.hidden = false;
    fill(this.#element, h("div", { class: "top" }, title,
      button("×", () => this.close(), { id: "details-close", class: "quiet", "aria-label": "Close details" })), ...parts);
    this.#element.scrollTop = 0;
  }

  async #call(thread, answer) {
    const { call } = answer;
    const go = (target) => () => this.#tree.goTo(thread, target);
    const near = (text, id, target, title) => button(text, go(target), { id, disabled: target === null || target === undefined, title });
    const source = h("div", { id: "details-source" });
    this.#put(
      h("h2", { tabindex: -1 }, bdi(cut(call.name, 4000))),
      h("p", { class: "kind" }, kindName(call.kind), " ", ...badges(call)),
      this.#callers(answer.above, go),
      facts([
        // A report knows of the calls of a repeat their means.
        [call.of > 1 ? `Mean of ${count(call.of)}` : "Duration", time(call.duration)], ["Self", time(call.self)],
        ["Of its caller", call.share === undefined ? "" : percent(call.share)],
        ["Starts at", `+${time(call.start - this.#start)}`], ["Call", `#${count(call.call)}`],
      ]),
      h("div", { class: "steps" },
        near("‹ previous call", "previous-same", answer.previous_same, "The previous call of this function"),
        near("next call ›", "next-same", answer.next_same, "The next call of this function"),
        this.#toFunction(call),
        button("Timeline", () => this.#state.set({ view: "timeline", ...around(call) }), { id: "to-timeline", title: "This call in time" })),
      outcome(call),
      values(call),
      h("h3", null, "Source"),
      h("p", { class: "path" }, bdi(cut(answer.path ?? "", 4000), { dir: "ltr" }), atLine(call.line)),
      source);
    await drawSource(this.#server, source, call.code, call.line);
  }

  #toFunction(call) {
    return button("Function", () => this.#state.set({ view: "functions", code: String(call.code) }), { id: "to-function", title: "All calls of this function" });
  }

  #callers(above, go) {
    if (!(above?.length > 0)) return h("p", { class: "callers" }, "Called by nothing that was recorded.");
    const list = h("ol", { class: "callers", "aria-label": "Callers, the outermost first" });
    const link = ({ row, name, file, line }) => h("li", null, button(bdi(cut(name, 200)), go(row), { class: "link", "data-row": row, title: visible(cut(file + atLine(line), 400)) }));
    const left = above.length > NEAREST ? above.slice(0, -NEAREST) : [];
    if (left.length > 0) {
      const more = h("li", null, button(`… ${count(left.length)} more`, () => more.replaceWith(...left.map(link)), { class: "link", id: "all-callers" }));
      list.append(more);
    }
    list.append(...above.slice(-NEAREST).map(link));
    return list;
  }

  #repeat(row) {
    // Where it is not in the tree, what was looked at before is not what is selected.
    if (!row?.repeat) {
      this.#hide();
      return;
    }
    this.#shown = `repeat ${row.id}`;
    const { repeat, call } = row;
    const { times } = repeat;
    const single = call && repeat.step !== null && repeat.step !== undefined;
    // It is drawn anew with each step: whoever goes through them by keyboard stays where they are.
    const pressed = this.#element.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
    this.#put(
      h("h2", { tabindex: -1 }, `${range(repeat.count)}× `, call ? bdi(cut(call.name, 4000)) : "repetitions"),
      h("p", { class: "kind" }, repeat.exact ? "that are the same" : "that are similar: the template is the first, others differ"),
      facts([
        ["Each", `${range(repeat.calls_per_repetition)} ${repeat.calls_per_repetition[1] === 1 ? "call" : "calls"}`],
        ["In all", counted(repeat.calls, "call")],
        ["Calls", repeat.first_call === undefined ? "" : `#${count(repeat.first_call)}–#${count(repeat.last_call)}`],
        ["Total", time(times.total)], ["Mean", `${time(times.mean)} ± ${time(times.deviation)}`],
        ["Range", `${time(times.min)} – ${time(times.max)}`],
        ["Slowest", `repetition ${count(times.slowest + 1)}`],
        ["This one", single ? time(call.duration) : ""],
      ]),
      repeat.spark?.length > 1 ? h("div", { class: "wide-spark" }, spark(repeat.spark, repeat.step)) : null,
      repeat.repetitions > 1 ? stepper(row, { step: (target, step) => this.#tree.step(target, step) }) : null,
      call ? h("div", { class: "steps" }, this.#toFunction(call)) : null,
      call ? outcome(call) : null,
      call ? values(call) : null);
    if (pressed !== null) this.#element.querySelector(`[aria-label=${CSS.escape(pressed)}]:not(:disabled)`)?.focus();
  }

  #gap({ thread, gap, above, before, behind, next, previous }) {
    const go = (row) => () => this.#tree.goTo(thread, row);
    const call = (text, id, row) => button(text, go(row), { id, disabled: row === null || row === undefined });
    const other = (text, id, place) => button(text, () => this.#tree.goTo(place.thread, rowOf(place.id), place.id), { id, disabled: !place });
    const [heading] = gapTexts(gap);
    this.#put(
      h("h2", { tabindex: -1 }, `⚠ ${heading}`),
      h("p", { class: "kind" }, "They could not be recorded: calls are missing here, and ends of others may be."),
      above.length > 0 ? this.#callers(above, go) : h("p", { class: "callers" }, "No call that was recorded ran all through it."),
      facts([
        ["Calls began", count(gap.starts)], ["Calls ended", count(gap.ends)],
        ["Within", time(gap.until - gap.since)], ["Starts at", `+${time(gap.since - this.#start)}`],
        ["After call", gap.after_call === 0 ? "" : `#${count(gap.after_call)}`],
      ]),
      h("div", { class: "steps" },
        other("‹ previous gap", "previous-gap", previous), other("next gap ›", "next-gap", next),
        call("call before", "before-gap", before), call("call behind", "behind-gap", behind),
        button("Timeline", () => this.#state.set({ view: "timeline", ...around({ start: gap.since, duration: gap.until - gap.since }) }), { id: "to-timeline", title: "This gap in time" })));
  }

  async #function(answer) {
    const { function: of } = answer;
    const source = h("div", { id: "details-source" });
    this.#put(
      h("h2", { tabindex: -1 }, bdi(cut(of.name, 4000))),
      h("p", { class: "kind" }, kindName(of.kind), " ", ...badges(of)),
      ...functionParts(answer, {
        go: (thread, row) => this.#tree.goTo(thread, row),
        open: (other) => this.#state.set({ code: String(other) }),
      }),
      h("h3", null, "Source"),
      h("p", { class: "path" }, bdi(cut(of.path ?? of.file ?? "", 4000), { dir: "ltr" }), atLine(of.line)),
      source);
    await drawSource(this.#server, source, of.code, of.line);
  }
}

/** The stretch of time in which a call is the larger part. */
function around({ start, duration }) {
  const margin = Math.max(100, Math.round(duration / 3));
  return { from: Math.max(0, start - margin), to: start + duration + margin };
}

/** A list of names and values; what is empty is left out. */
function facts(pairs) {
  return h("dl", { class: "facts" }, ...pairs.filter(([, value]) => value !== "").map(([name, value]) =>
    h("div", { class: "fact" }, h("dt", null, name), h("dd", null, value))));
}

function outcome(call) {
  if (call.exception) {
    return h("div", { class: "outcome" }, h("h3", null, "Raised"),
      h("p", { class: "exception" }, bdi(call.exception), call.message ? ": " : ""), call.message ? value(call.message) : null);
  }
  if (call.result === null || call.result === undefined) return null;
  return h("div", { class: "outcome" }, h("h3", null, call.yielded ? "Yielded" : "Returned"), value(call.result));
}

function values(call) {
  if (!(call.arguments?.length > 0)) return null;
  const list = h("dl", { class: "arguments" });
  for (const [name, text] of call.arguments) {
    list.append(h("dt", null, bdi(cut(name, 400))), h("dd", null, text === null ? "not the same in all" : value(text)));
  }
  return h("div", null, h("h3", null, "Arguments"), list);
}

/** A value in full; a long one after a click. */
function value(text) {
  const clean = visible(text, true);
  const element = h("pre", { class: "value", dir: "auto" }, cut(clean, LONG_VALUE));
  if (clean.length <= LONG_VALUE) return element;
  const more = button(`all ${count(clean.length)} characters`, () => {
    element.textContent = clean;
    more.remove();
  }, { class: "link" });
  return h("div", null, element, more);
}
