// A line of the call tree as elements.

import { bdi, button, cut, h, visible } from "pytrace/dom.js";
import { atLine, count, counted, percent, range, time } from "pytrace/format.js";
import { gapTexts } from "pytrace/gaps.js";
import { spark } from "pytrace/spark.js";

// Deeper rows stand no further to the right: a name is to have room in any depth.
const DEEPEST = 40;
// Levels that stay visible above where the view is.
const CONTEXT_LEVELS = 4;
const LEVELS_THAT_FIT = 14;

/**
 * @typedef {object} Context
 * @property {number} shift levels that are left out at the left
 * @property {((text: string) => [number, number][]) | null} marks where search hits are
 * @property {object | undefined} after the row below
 * @property {(row: object, all: boolean) => void} toggle
 * @property {(row: object, step: number | null) => void} step
 */

const KINDS = {
  method: "method", class_instantiation: "class", special_method: "special", lambda: "lambda",
  comprehension: "comprehension", generator: "generator", coroutine: "coroutine", class_body: "class body",
  module: "module", import: "import",
};

const FLAGS = {
  resumed: "resumed", already_running: "already running", began_in_gap: "began in a gap", unfinished: "unfinished",
  start_inferred: "at least", end_inferred: "at most",
};

/** What is said of a call behind its name: category, flags. */
export function badges(call) {
  const texts = [];
  if (call.category !== "internal") texts.push([call.category, `category ${call.category}`]);
  for (const flag of call.flags ?? []) texts.push([FLAGS[flag] ?? flag, "flag"]);
  return texts.map(([text, kind]) => h("span", { class: `badge ${kind}` }, text));
}

/** The name of a kind of function, where it is not a plain one. */
export function kindName(kind) {
  return KINDS[kind] ?? kind ?? "";
}

/** @param {object} row @param {Context} context */
export function rowElement(row, context) {
  const depth = Math.max(0, row.level - context.shift);
  const first = h("span", { class: "first" }, twisty(row, context));
  const main = h("div", { role: "gridcell", class: "main" }, h("span", { class: "indent", "aria-hidden": "true" }), first);
  main.style.setProperty("--depth", Math.min(depth, DEEPEST));
  const element = h("div", {
    role: "row", "data-node": row.id, "aria-level": row.level + 1,
    "aria-expanded": row.has ? String(Boolean(row.open)) : null,
    class: `row${row.repeat && !row.repeat.one ? " repeat" : ""}${row.gap ? " gap" : ""}${row.call ? ` ${row.call.category}` : ""}`,
  });
  boxes(element, row, context);
  element.append(main);
  if (row.repeat && !row.repeat.one) {
    repeat(first, main, row, context);
    main.setAttribute("aria-colspan", "2");
    element.append(repeatTime(row.repeat));
  } else if (row.gap) {
    gap(first, main, row.gap);
    main.setAttribute("aria-colspan", "2");
    element.append(gapTime(row.gap));
  } else if (row.call) {
    if (row.repeat) first.append(times(row.repeat), like(row.repeat));
    call(first, main, row.call, context);
    element.append(where(row.call, context), duration(row), self(row.call));
  }
  // Only a report leaves out any.
  if (row.cut) main.append(h("span", { class: "badge", title: "What is below this line is not in the report" }, "… left out"));
  return element;
}

/**
 * How many levels are left out at the left: in deep recursion, the levels that are seen decide.
 * @param {number[]} levels
 */
export function shiftOf(levels) {
  const room = matchMedia("(max-width: 700px)").matches ? LEVELS_THAT_FIT / 2 : LEVELS_THAT_FIT;
  const fits = levels.length === 0 || Math.max(...levels) <= room;
  return fits ? 0 : Math.floor(Math.max(0, Math.min(...levels) - CONTEXT_LEVELS) / 4) * 4;
}

function twisty(row, context) {
  if (!row.has) return h("span", { class: "twisty none", "aria-hidden": "true" });
  return h("button", {
    type: "button", class: "twisty", tabindex: -1, "aria-hidden": "true",
    title: row.open ? "Close (Alt: all below)" : "Open (Alt: all below)",
    onclick: (event) => {
      event.stopPropagation();
      context.toggle(row, event.altKey || event.shiftKey);
    },
  }, row.open ? "▾" : "▸");
}

// A box is drawn by the rows that stand in it, each its part.
function boxes(element, row, context) {
  const list = row.boxes ?? [];
  list.forEach((level, index) => {
    const heads = (other) => Boolean(other?.repeat && !other.repeat.one && other.level === level);
    const starts = heads(row);
    const ends = !context.after?.boxes?.includes(level) || heads(context.after);
    const part = h("i", { class: `box${starts ? " starts" : ""}${ends ? " ends" : ""}`, "aria-hidden": "true" });
    part.style.setProperty("--depth", Math.min(Math.max(0, level - context.shift), DEEPEST));
    part.style.setProperty("--nested", index);
    element.append(part);
  });
}

function times(repeat) {
  const title = repeat.exact ? "calls that are the same" : "calls that are nearly the same";
  return h("span", { class: "times", title: `${count(repeat.calls)} ${title}` }, `${range(repeat.count)}×`);
}

// Which of the calls it is, or that they are not all the same.
function like({ exact, step, repetitions }) {
  const text = step !== null && step !== undefined ? `${count(step + 1)} of ${count(repetitions)}` : exact ? "" : "similar";
  return text === "" ? "" : h("span", { class: "like" }, text);
}

function call(first, main, call, context) {
  first.append(bdi(cut(call.name), { class: "name", title: visible(cut(call.name, 2000)) }, context.marks), ...badges(call));
  main.append(values(call, context));
  if (call.of > 1 && call.raised > 0) {
    main.append(h("span", { class: "raised" }, `raised in ${count(call.raised)} of ${count(call.of)}`));
  }
}

function values(call, context) {
  const line = h("span", { class: "values" });
  if (call.arguments?.length > 0) {
    line.append("(");
    call.arguments.forEach(([name, value], index) => {
      if (index > 0) line.append(", ");
      line.append(bdi(cut(name, 60), { class: "parameter" }, context.marks), "=");
      if (value === null) line.append(h("span", { class: "differs", title: "not the same in all" }, "…"));
      else line.append(bdi(cut(value, 130), null, context.marks));
    });
    if (call.arguments_cut) line.append(", …");
    line.append(")");
  }
  const outcome = exception(call, context) ?? result(call, context);
  if (outcome) line.append(outcome);
  return line;
}

function exception(call, context) {
  if (!call.exception && !call.differs?.includes("exception")) return null;
  const name = call.exception ? bdi(cut(call.exception), null, context.marks) : "exceptions";
  const element = h("span", { class: "exception" }, " ✕ ", name);
  if (call.message) element.append(": ", bdi(cut(call.message), null, context.marks));
  return element;
}

// Most functions return None: said at each, it would hide what the others return.
function result(call, context) {
  if (call.differs?.includes("result")) return h("span", { class: "result" }, " → …");
  const text = call.result;
  if (text === null || text === undefined || (text === "None" && !call.yielded)) return null;
  const sign = call.yielded ? " ⇥ " : " → ";
  return h("span", { class: "result", title: call.yielded ? "yielded" : "returned" }, sign, bdi(cut(text, 130), null, context.marks));
}

function where(call, context) {
  if (!call.file) return h("div", { role: "gridcell", class: "where" });
  return h("div", { role: "gridcell", class: "where" },
    bdi(cut(call.file, 120), { class: "file", dir: "ltr" }, context.marks), h("span", { class: "line" }, atLine(call.line)));
}

function duration(row) {
  const { call, repeat: repeats } = row;
  // The bar is of all calls of a repeat: of a thousand short ones, the mean alone would look like nothing.
  const together = Boolean(repeats) && (repeats.step ?? null) === null;
  const times = together ? (repeats.count[0] + repeats.count[1]) / 2 : 1;
  const share = Math.max(0, Math.min(1, (call.share ?? 0) * times));
  const bar = h("span", { class: "share", "aria-hidden": "true" });
  bar.style.setProperty("--share", share);
  const mean = call.of > 1 ? "⌀ " : "";
  const [atLeast, atMost] = [["unfinished", "start_inferred"], ["end_inferred"]].map((flags) => flags.some((flag) => call.flags?.includes(flag)));
  const open = atLeast && atMost ? "≈ " : atLeast ? "≥ " : atMost ? "≤ " : "";
  const spread = call.of > 1 ? `, ${time(call.min)} to ${time(call.max)}` : "";
  return h("div", {
    role: "gridcell", class: "time", title: `${together ? "together " : ""}${percent(share)} of the row it stands below${spread}`,
  }, bar, h("span", null, `${open}${mean}${time(call.duration)}`));
}

function self(call) {
  return h("div", { role: "gridcell", class: "self", title: "without what it called" }, time(call.self));
}

function repeat(first, main, row, context) {
  const { repeat } = row;
  const like = repeat.exact ? "" : "similar ";
  const numbers = repeat.first_call === undefined ? "" : `#${repeat.first_call}–#${repeat.last_call}, `;
  first.append(
    h("span", { class: "times" }, `${range(repeat.count)}×`),
    h("span", { class: "heading" },
      `${like}repetitions of ${range(repeat.calls_per_repetition)} ${repeat.calls_per_repetition[1] === 1 ? "call" : "calls"}`));
  main.append(h("span", { class: "second" }, h("span", { class: "numbers" }, `${numbers}${counted(repeat.calls, "call")}`),
    row.open && repeat.repetitions > 1 ? stepper(row, context) : null,
    repeat.spark?.length > 1 ? spark(repeat.spark, repeat.spark.length === repeat.repetitions ? repeat.step : null) : null));
}

/** Goes through the repetitions of a repeat, one at a time; the template stands before the first. */
export function stepper(row, context) {
  const { repeat } = row;
  const step = repeat.step ?? null;
  const go = (to) => (event) => {
    event.stopPropagation();
    context.step(row, to);
  };
  const last = repeat.repetitions - 1;
  const sign = (text, label, to, disabled) => button(text, go(to), {
    tabindex: -1, "aria-label": label, title: label, disabled, class: "quiet",
  });
  return h("span", { class: "stepper", role: "group", "aria-label": "Repetitions" },
    sign("‹", "Previous repetition ([)", step === null || step === 0 ? null : step - 1, step === null),
    h("span", { class: "step" }, step === null ? "template" : `${count(step + 1)} of ${count(repeat.repetitions)}`),
    sign("›", "Next repetition (])", step === null ? 0 : step + 1, step === last),
    repeat.times?.min < repeat.times?.max
      ? sign("slowest", "Slowest repetition (s)", repeat.times.slowest, step === repeat.times.slowest) : null,
    step === null ? null : sign("template", "Back to the template (t)", null, false));
}

function gap(first, main, about) {
  const [heading, more] = gapTexts(about);
  first.append(h("span", { class: "heading" }, `⚠ ${heading}`));
  main.append(h("span", { class: "second" }, h("span", { class: "numbers" }, more)));
}

function gapTime({ since, until }) {
  return h("div", { role: "gridcell", class: "mean", "aria-colindex": 3, "aria-colspan": 2 }, h("span", null, `within ${time(until - since)}`));
}

function repeatTime({ times }) {
  return h("div", {
    role: "gridcell", class: "mean", "aria-colindex": 3, "aria-colspan": 2,
    title: `${time(times.total)} in all, ${time(times.min)} to ${time(times.max)} each`,
  }, h("span", null, `⌀ ${time(times.mean)} ± ${time(times.deviation)}`));
}
