// What was recorded, and what was not.

import { bdi, button, cut, fill, h, visible } from "pytrace/dom.js";
import { command, count, counted, moment, time } from "pytrace/format.js";

// Where events were lost is said of so many threads.
const MOST_LOSSES = 8;

/**
 * Draws the header. `buttons` stand at its end.
 * @param {(() => void) | null} toGap goes to the first place where events are missing
 */
export function drawHeader(element, trace, buttons, toGap = null) {
  document.title = `${trace.stem || "trace"} – pytrace`;
  const title = trace.command?.length > 0 ? command(trace.command) : trace.file;
  fill(element,
    h("div", { class: "title" },
      h("h1", { title: visible(cut(title, 2000)) }, bdi(cut(title))),
      h("span", { class: "buttons" }, ...buttons)),
    h("dl", { class: "facts" }, ...facts(trace)),
    ...notes(trace, toGap));
}

function fact(id, name, ...value) {
  return h("div", { id, class: "fact" }, h("dt", null, name), h("dd", null, ...value));
}

function facts(trace) {
  const { calls } = trace;
  const list = [];
  if (trace.started_at) list.push(fact("fact-when", "Recorded", moment(trace.started_at)));
  list.push(fact("fact-duration", "Duration", time(trace.end - trace.start)));
  for (const { path, version, plan } of (trace.interpreters ?? []).slice(0, 3)) {
    list.push(fact(null, "Interpreter", h("span", { title: visible(cut(path ?? "", 2000)) }, bdi(`CPython ${version}`)), plan ? ", " : "", plan ? bdi(`${plan} probes`) : ""));
  }
  const threads = trace.threads.length + (trace.threads_left_out ?? 0);
  list.push(
    fact("fact-threads", "Ran in", `${counted(trace.processes, "process", "processes")}, ${counted(threads, "thread")}`),
    fact("fact-calls", "Calls", h("strong", null, count(calls.total)), calls.total > 0 && h("span", { class: "parts" }, ` (${parts(calls)})`)),
    h("div", { id: "fact-folded", class: "fact", hidden: true }));
  if (calls.raised > 0) list.push(fact("fact-raised", "Left by exception", count(calls.raised)));
  if (trace.ended) list.push(fact("fact-ended", "Ended", bdi(cut(trace.ended, 80))));
  return list;
}

function parts(calls) {
  return [[calls.internal, "internal"], [calls.external, "external"], [calls.import, "import"]]
    .filter(([number]) => number > 0)
    .map(([number, name]) => `${count(number)} ${name}`)
    .join(" · ");
}

/**
 * Says what grouping made of the calls: known only once they are grouped.
 * @param {{calls: number, rows: number, patterns: number}} summary
 */
export function drawFolded(summary) {
  const element = document.getElementById("fact-folded");
  if (!element) return;
  element.hidden = summary.patterns === 0;
  fill(element, h("dt", null, "Folded"), h("dd", null,
    `${count(summary.calls)} calls → ${counted(summary.rows, "row")}, ${counted(summary.patterns, "pattern")}`));
}

function notes(trace, toGap) {
  const list = [];
  const note = (kind, ...parts) => list.push(h("p", { class: `note ${kind}`, role: kind === "bad" ? "alert" : null }, ...parts));
  if (trace.lost > 0) {
    const places = trace.gaps > 0 ? ` in ${counted(trace.gaps, "gap")}` : "";
    const first = trace.gaps > 0 && toGap ? button("First gap", toGap, { id: "first-gap", class: "link", title: "To the first gap (g: the next one)" }) : "";
    note("bad", `${counted(trace.lost, "event")} lost${places}`, losses(trace), first === "" ? "" : " ", first);
  }
  if (trace.truncated) note("warn", "The file ends in the middle: what is shown goes up to its last whole event.");
  for (const gone of trace.gone ?? []) note("warn", `Not whole: ${gone}.`);
  if (trace.foreign) note("plain", "Written by another tool: what it did not record is not shown.");
  if (trace.calls.unfinished > 0) note("plain", `${counted(trace.calls.unfinished, "call")} unfinished at the end.`);
  if (trace.calls.already_running > 0) note("plain", `${counted(trace.calls.already_running, "call")} already running at the beginning.`);
  if (trace.calls.began_in_gap > 0) note("plain", `${counted(trace.calls.began_in_gap, "call")} began in a gap: when is not known.`);
  if (trace.threads_left_out > 0) note("warn", `${counted(trace.threads_left_out, "thread")} with the fewest calls not listed.`);
  for (const { findings } of trace.interpreters ?? []) {
    for (const finding of (findings ?? []).slice(0, 3)) note("plain", bdi(cut(String(finding))));
  }
  if (trace.left_out) note("warn", String(trace.left_out));
  return list.length > 0 ? [h("div", { id: "notes" }, ...list)] : [];
}

function losses(trace) {
  const known = (trace.lost_by_thread ?? []).slice(0, MOST_LOSSES).map(({ pid, tid, count: lost, near_call: near }) => {
    const place = near ? ` near call ${count(near)}` : "";
    return `${count(lost)} in thread ${tid} of process ${pid}${place}`;
  });
  const more = (trace.lost_by_thread?.length ?? 0) - known.length;
  if (more > 0) known.push(`${count(more)} more threads`);
  return known.length > 0 ? `: ${known.join("; ")}` : "";
}
