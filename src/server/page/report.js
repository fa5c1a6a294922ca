// Answers the questions of docs/serve-api.md from what a report holds: no server is asked.

import { Refused } from "pytrace/api.js";
import { StaticTree } from "pytrace/report_tree.js";

/** The data of this page, if it is a report of its own; `null`: there is a server. */
export function reportOf(document) {
  const element = document.getElementById("report");
  if (element === null) return null;
  // What needs a server is not offered.
  document.documentElement.classList.add("report");
  return new Report(JSON.parse(element.textContent));
}

/** Stands in for `Server`, with the same methods; what it does not hold it says. */
export class Report extends EventTarget {
  #data;
  #trees = new Map();
  #searches = new Map();

  /** Whether the single repetitions of a repeat can be shown. */
  steps = false;

  constructor(data) {
    super();
    this.#data = data;
  }

  async trace() {
    return { ...this.#data.trace, left_out: `A report, without what would take a server. Left out: ${this.#data.left_out.join("; ")}.` };
  }

  async rows({ thread, open = "", from, count }) {
    const { total, rows, open: opened } = this.#tree(thread).rows(open, Number(from), Number(count));
    return { total, from: Number(from), open: opened, calls: this.#data.trees[thread]?.calls ?? 0, rows };
  }

  async reveal({ thread, row, gap = null, open = "" }) {
    const tree = this.#tree(thread);
    return gap === null ? tree.reveal(open, Number(row)) : tree.revealGap(open, Number(gap));
  }

  async gap({ thread, gap, after = "", direction = "next" }) {
    const all = this.#gaps();
    let at;
    if (gap !== undefined) at = all.findIndex((known) => known.thread === Number(thread) && known.id.endsWith(`.${gap}`));
    else if (after === "") at = direction === "next" ? 0 : all.length - 1;
    else {
      const place = after.split(".").map(Number);
      const isBehind = ({ thread: of, row }) => (of - place[0] || row - place[1]) > 0;
      at = direction === "next" ? all.findIndex(isBehind) : all.findLastIndex((known) => !isBehind(known));
    }
    const found = all[at];
    if (found === undefined) throw new Refused("there is no such gap in the report", 404);
    const place = (known) => (known ? { thread: known.thread, id: known.id } : null);
    return { ...found, before: null, behind: null, next: place(all[at + 1]), previous: place(all[at - 1]) };
  }

  async call({ thread, row }) {
    const found = this.#tree(thread).call(Number(row));
    if (found === null) throw new Refused("this call is not in the report, which has one repetition of each pattern", 404);
    const path = this.#data.function[found.call.code]?.function.path ?? found.call.file;
    return { ...found, path, module_line: found.call.line, readable: false, next_same: null, previous_same: null };
  }

  async source() {
    throw new Refused("a report holds no sources", 404);
  }

  async search({ q, in: places, after, direction = "next", limit = 50 }) {
    const hits = this.#hits(q, places);
    const at = after === undefined || after === "" ? null : after.split(".").map(Number);
    const isBehind = (hit) => at === null || compare(hit, at) > 0;
    const isBefore = (hit) => at === null || compare(hit, at) < 0;
    const wanted = direction === "previous" ? hits.filter(isBefore).reverse() : hits.filter(isBehind);
    return { hits: wanted.slice(0, Number(limit)), at: null, done: true, scanned: hits.length };
  }

  async searchCount({ q, in: places, after }) {
    const hits = this.#hits(q, places);
    const place = after === undefined || after === "" ? null : String(after).split(".").map(Number);
    return {
      count: hits.length,
      before: place === null ? 0 : hits.filter((hit) => compare(hit, place) <= 0).length,
      at: null,
      done: true,
    };
  }

  async timeline({ threads, from, to, width, depth = 0, levels = 40 }) {
    const { timelines, pixels, trace } = this.#data;
    const wanted = threads === undefined || threads === "" ? null : new Set(String(threads).split(",").map(Number));
    const begin = Number(from ?? trace.start);
    const end = Number(to ?? trace.end);
    const first = Number(depth);
    const isShown = (level) => level >= first && level < first + Number(levels);
    const pixel = (trace.end - trace.start) / pixels;
    const scale = Number(width) / Math.max(1, end - begin);
    const lanes = timelines.flatMap((timeline) => timeline.lanes)
      .filter((lane) => wanted === null || wanted.has(lane.thread));
    return {
      from: begin,
      to: end,
      codes: Object.assign({}, ...timelines.map((timeline) => timeline.codes)),
      lanes: lanes.map((lane) => ({
        ...lane,
        slices: moved(lane.slices, isShown, trace.start, begin, end),
        bands: moved(lane.bands, isShown, trace.start, begin, end),
        gaps: moved(lane.gaps, () => true, trace.start, begin, end),
        dense: lane.dense.filter(([level]) => isShown(level)).flatMap(([level, x, across, calls]) => {
          const left = Math.max(0, Math.floor((trace.start + x * pixel - begin) * scale));
          const right = Math.min(Number(width), Math.ceil((trace.start + (x + across) * pixel - begin) * scale));
          return right > left ? [[level, left, right - left, calls]] : [];
        }),
      })),
    };
  }

  async flame({ at = "" }) {
    const { flame } = this.#data;
    const top = at === "" ? -1 : flame.nodes.findIndex((node) => String(node[6]) === String(at));
    if (top < 0) return flame;
    const depth = flame.nodes[top][0];
    let end = top + 1;
    while (end < flame.nodes.length && flame.nodes[end][0] > depth) end += 1;
    const nodes = flame.nodes.slice(top, end).map(([level, code, total, self, calls, parent, node], index) =>
      [level - depth, code, total, self, calls, index === 0 ? -1 : parent - top, node]);
    return { ...flame, total: flame.nodes[top][2], calls: flame.nodes[top][4], nodes };
  }

  async functions({ sort = "self", order = "desc", from = 0, count = 100, q = "" }) {
    const text = q.toLowerCase();
    const rows = this.#data.functions.rows.filter(({ name, file }) =>
      name.toLowerCase().includes(text) || file.toLowerCase().includes(text));
    return page(sorted(rows, sort, order), from, count);
  }

  async function({ code }) {
    const found = this.#data.function[code];
    if (found === undefined) throw new Refused("the report holds the details of the heaviest functions only", 404);
    return found;
  }

  async patterns({ thread = "all", from = 0, count = 100, sort = "total" }) {
    const { patterns } = this.#data;
    const some = patterns.rows.filter((row) => thread === "all" || row.thread === Number(thread));
    const rows = sorted(some, sort, "desc");
    return { ...page(rows, from, count), summary: patterns.summary };
  }

  cancel() {}

  #tree(thread) {
    const index = Number(thread);
    let tree = this.#trees.get(index);
    if (tree === undefined) {
      tree = new StaticTree(this.#data.trees[index]?.rows ?? []);
      this.#trees.set(index, tree);
    }
    return tree;
  }

  // In order of thread and row; keys that are numbers come in their order.
  #gaps() {
    return Object.keys(this.#data.trees).map(Number).flatMap((thread) =>
      this.#tree(thread).gaps().map((gap) => ({ thread, ...gap })));
  }

  // In order of thread and row, each line once.
  #hits(q, places) {
    const key = `${places ?? ""}\n${q}`;
    let hits = this.#searches.get(key);
    if (hits === undefined) {
      // Keys that are numbers come in their order.
      hits = Object.keys(this.#data.trees).map(Number).flatMap((thread) =>
        this.#tree(thread).search(q, places).map((hit) => ({ thread, ...hit })));
      this.#searches.clear();
      this.#searches.set(key, hits);
    }
    return hits;
  }
}

function compare(hit, [thread, row]) {
  return hit.thread - thread || hit.row - row;
}

function moved(parts, isShown, origin, begin, end) {
  return parts
    .filter(([level, start, duration]) => isShown(level) && origin + start <= end && origin + start + duration >= begin)
    .map(([level, start, ...rest]) => [level, origin + start - begin, ...rest]);
}

function sorted(rows, column, order) {
  const value = (row) => {
    const found = row[column];
    return Array.isArray(found) ? found[1] : found;
  };
  const sign = order === "asc" ? 1 : -1;
  // Equal ones stay as they are.
  return [...rows].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    return sign * (typeof x === "string" ? x.localeCompare(y) : x - y);
  });
}

function page(rows, from, count) {
  return { total: rows.length, rows: rows.slice(Number(from), Number(from) + Number(count)) };
}
