// Draws the timeline on its canvas.

import { cut, visible } from "pytrace/dom.js";
import { count, counted, instant, ticks } from "pytrace/format.js";
import { HEAD, LEVEL } from "pytrace/lanes.js";
import { colors } from "pytrace/theme.js";
import { threadName } from "pytrace/threads.js";

export const MAP = 12;
export const AXIS = 24;
/** Where lanes begin. */
export const TOP = MAP + AXIS;

const TONES = 3;
const NAMES = [
  "text", "muted", "faint", "surface", "sunken", "accent", "chosen", "danger", "danger-ground", "pattern", "band", "dense",
  ...["internal", "external", "import"].flatMap((category) => Array.from({ length: TONES }, (_, tone) => `${category}-${tone}`)),
];

let palette = null;

/** Colours have changed. */
export function forgetColors() {
  palette = null;
}

/**
 * @param {CanvasRenderingContext2D} context in CSS pixels
 * @param {object} view
 * @param {import("pytrace/lanes.js").Lanes} view.lanes
 * @param {number} view.from in ns
 * @param {number} view.to in ns
 * @param {number} view.end of the recording, in ns
 * @param {number} view.scroll pixels of lanes above the view
 * @param {number} view.width in pixels
 * @param {number} view.height in pixels
 * @param {{thread: number, node: string, start?: number, duration?: number} | null} view.selected
 * @param {object | null} view.hovered
 */
export function drawTimeline(context, view) {
  palette ??= colors(NAMES);
  const { width, height } = view;
  context.clearRect(0, 0, width, height);
  context.textBaseline = "middle";
  context.font = "11px system-ui, sans-serif";
  const scale = width / (view.to - view.from);
  const x = (time) => (time - view.from) * scale;
  const [step, first] = ticks(view.from, view.to, width / 110);
  grid(context, view, x, step, first);
  context.save();
  context.beginPath();
  context.rect(0, TOP, width, height - TOP);
  context.clip();
  for (const lane of view.lanes.between(view.scroll, view.scroll + height - TOP)) drawLane(context, view, lane, x);
  drawSelected(context, view, x);
  context.restore();
  axis(context, view, x, step, first);
  map(context, view);
}

function grid(context, view, x, step, first) {
  context.fillStyle = palette.faint;
  for (let time = first; time <= view.to; time += step) context.fillRect(Math.round(x(time)), TOP, 1, view.height - TOP);
}

function axis(context, view, x, step, first) {
  context.fillStyle = palette.sunken;
  context.fillRect(0, MAP, view.width, AXIS);
  context.fillStyle = palette.muted;
  for (let time = first; time <= view.to; time += step) {
    const at = Math.round(x(time));
    context.fillRect(at, MAP + AXIS - 6, 1, 6);
    context.fillText(instant(time, step), at + 4, MAP + AXIS / 2);
  }
  context.fillStyle = palette.faint;
  context.fillRect(0, TOP - 1, view.width, 1);
}

// The whole recording, and the part of it that is seen.
function map(context, view) {
  context.fillStyle = palette.faint;
  context.fillRect(0, 0, view.width, MAP);
  const from = (view.from / view.end) * view.width;
  const to = (view.to / view.end) * view.width;
  const width = Math.max(3, to - from);
  context.fillStyle = palette.chosen;
  context.fillRect(from, 0, width, MAP);
  context.fillStyle = palette.accent;
  context.fillRect(from, 0, 2, MAP);
  context.fillRect(from + width - 2, 0, 2, MAP);
}

function drawLane(context, view, lane, x) {
  const top = TOP + lane.top - view.scroll;
  const levels = view.lanes.shown(lane);
  const bottom = top + HEAD + levels * LEVEL;
  context.save();
  context.beginPath();
  context.rect(0, top, view.width, bottom - top);
  context.clip();
  if (lane.answer) {
    drawBands(context, view, lane, x, top);
    drawDense(context, view, lane, x, top);
    drawSlices(context, view, lane, x, top);
    drawGaps(context, view, lane, x, top, bottom);
  }
  context.restore();
  drawHead(context, view, lane, Math.max(top, Math.min(TOP, bottom - HEAD)));
}

function drawHead(context, view, lane, top) {
  context.fillStyle = palette.sunken;
  context.fillRect(0, top, view.width, HEAD - 2);
  context.fillStyle = palette.text;
  const { thread } = lane;
  const process = view.lanes.processes > 1 ? `${thread.pid} › ` : "";
  const fold = view.lanes.list.length > 1 && lane.levels > view.lanes.shown(lane) ? `  ▸ ${counted(lane.levels, "level")}` : "";
  context.fillText(`${process}${visible(cut(threadName(thread), 80))}  ·  ${counted(thread.calls, "call")}${fold}`, 8, top + HEAD / 2 - 1);
}

function seen(view, item) {
  return item.start <= view.to && item.start + item.duration >= view.from;
}

function rowTop(top, level) {
  return top + HEAD + level * LEVEL;
}

function drawBands(context, view, lane, x, top) {
  for (const band of lane.answer.bands) {
    if (!seen(view, band)) continue;
    const left = Math.max(-2, x(band.start));
    const width = Math.max(1, Math.min(view.width + 2, x(band.start + band.duration)) - left);
    const y = rowTop(top, band.level);
    context.fillStyle = palette.band;
    context.fillRect(left, y, width, LEVEL);
  }
}

function drawDense(context, view, lane, x, top) {
  context.fillStyle = palette.dense;
  for (const run of lane.answer.dense) {
    if (!seen(view, run)) continue;
    const left = x(run.start);
    context.fillRect(left, rowTop(top, run.level) + 5, Math.max(1, x(run.start + run.duration) - left), LEVEL - 6);
  }
}

function drawSlices(context, view, lane, x, top) {
  for (const [level, slices] of lane.answer.slices) {
    const y = rowTop(top, level) + 4;
    if (y > view.height || y + LEVEL < TOP) continue;
    for (const slice of slices) {
      if (!seen(view, slice)) continue;
      const left = Math.max(-2, x(slice.start));
      const width = Math.max(1, Math.min(view.width + 2, x(slice.start + slice.duration)) - left - 0.5);
      const [name, category] = view.lanes.codes.get(slice.code) ?? ["", "external"];
      context.fillStyle = palette[`${category}-${slice.code % TONES}`] ?? palette["external-0"];
      context.fillRect(left, y, width, LEVEL - 5);
      if (slice.raised) {
        context.fillStyle = palette.danger;
        context.fillRect(left, y + LEVEL - 7, width, 2);
      }
      if (width > 24) label(context, name, left, y, width);
    }
    // Over the slices, or those of a pattern would hide that it is one.
    context.fillStyle = palette.pattern;
    for (const band of lane.answer.bands) {
      if (band.level !== level || !seen(view, band)) continue;
      const left = Math.max(-2, x(band.start));
      const right = Math.min(view.width + 2, x(band.start + band.duration));
      context.fillRect(left, y - 3, Math.max(1, right - left - 0.5), 2);
    }
  }
}

// Narrower gaps are ticks.
const LEAST_HATCHED = 5;
const HATCH = 6;

// From the level down on which calls may be missing: hatched, as nothing is known there.
function drawGaps(context, view, lane, x, top, bottom) {
  context.strokeStyle = palette.danger;
  context.lineWidth = 1;
  for (const gap of lane.answer.gaps) {
    if (!seen(view, gap)) continue;
    const left = Math.max(-2, x(gap.start));
    const width = Math.max(2, Math.min(view.width + 2, x(gap.start + gap.duration)) - left);
    const y = rowTop(top, view.lanes.levelOf(lane, gap)) + 2;
    context.fillStyle = palette.danger;
    if (width < LEAST_HATCHED) {
      context.fillRect(left, y, width, bottom - y);
      continue;
    }
    context.save();
    context.beginPath();
    context.rect(left, y, width, bottom - y);
    context.clip();
    context.fillStyle = palette["danger-ground"];
    context.fillRect(left, y, width, bottom - y);
    context.beginPath();
    const height = bottom - y;
    // On a grid of the canvas, so that those of neighbours are one.
    for (let at = Math.floor((left - height) / HATCH) * HATCH; at < left + width; at += HATCH) {
      context.moveTo(at, bottom);
      context.lineTo(at + height, y);
    }
    context.stroke();
    context.fillStyle = palette.danger;
    context.fillRect(left, y, width, 2);
    context.restore();
  }
}

// About what a letter takes: measuring each would cost more than drawing.
const LETTER = 6;

function label(context, name, left, y, width) {
  const from = Math.max(4, left + 4);
  const letters = Math.floor((left + width - from - 2) / LETTER);
  if (letters < 3) return;
  const text = name.length > letters ? `${name.slice(0, letters - 1)}…` : name;
  context.fillStyle = palette.text;
  context.fillText(visible(text), from, y + LEVEL / 2 - 2);
}

function drawSelected(context, view, x) {
  for (const [item, colour, thick] of [[view.hovered, palette.muted, 1], [view.selectedAt, palette.accent, 2]]) {
    if (!item) continue;
    const y = TOP + item.lane.top - view.scroll + HEAD + item.level * LEVEL + 3;
    const left = Math.max(-4, x(item.start));
    const right = Math.min(view.width + 4, x(item.start + item.duration));
    context.strokeStyle = colour;
    context.lineWidth = thick;
    context.strokeRect(left, y, Math.max(2, right - left), LEVEL - 3);
  }
  const { selected } = view;
  if (view.selectedAt || selected?.start === undefined) return;
  // Too short to be drawn, or on a level that is not seen: where it begins.
  const lane = view.lanes.list.find(({ thread }) => thread.index === selected.thread);
  if (!lane) return;
  context.fillStyle = palette.accent;
  context.fillRect(Math.round(x(selected.start)) - 1, TOP + lane.top - view.scroll, 2, view.lanes.heightOf(lane));
}

/** What is said of what the pointer is over. */
export function hint(item, codes, time) {
  if (item.kind === "head") return [threadName(item.lane.thread), "Click: all levels or few"];
  if (item.kind === "dense") return [counted(item.calls, "call"), "too short to draw here: click to zoom in"];
  if (item.kind === "band") return [`${count(item.repetitions)}× repetitions`, time(item.duration)];
  if (item.kind === "gap") return [`${counted(item.lost, "event")} lost`, `within ${time(item.duration)}`];
  const [name, category] = codes.get(item.code) ?? ["?", ""];
  return [name, `${time(item.duration)}${category === "internal" ? "" : `, ${category}`}${item.raised ? ", left by an exception" : ""}`];
}
