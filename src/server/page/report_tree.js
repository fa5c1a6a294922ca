// A thread's tree of a report: every line it holds, of which some are shown.

import { callsOf, gapOf, nodeOf, rowOf } from "pytrace/open.js";

// What `auto` opens: a screen or two, as the server does.
const AUTO_LINES = 120;

/** Which nodes are open, by the text that requests take. */
class Open {
  #word = "auto";
  #states = new Map();

  constructor(text) {
    for (const state of text.split(",")) {
      if (state === "all" || state === "none") this.#word = state;
      const match = /^([cr][0-9.]+?)(?:@\d+)?([-+*]?)$/.exec(state);
      if (match !== null) this.#states.set(match[1], match[2] || "+");
    }
  }

  get isAuto() {
    return this.#word === "auto" && this.#states.size === 0;
  }

  /** Whether a node is open, and whether all below it is. */
  of(id, inherited) {
    const state = this.#states.get(id);
    if (state === undefined) return [inherited, inherited];
    return [state !== "-", state === "*" || (inherited && state !== "-")];
  }

  get isAll() {
    return this.#word === "all";
  }
}

/** Lines in order, those below a line behind it. */
export class StaticTree {
  #rows;
  /** For each line the first one that is no longer below it. */
  #ends;
  #layout = { open: null, shown: [], opened: "" };

  constructor(rows) {
    this.#ends = endsOf(rows);
    // What is below a line may be left out: then there is nothing to open.
    this.#rows = rows.map((row, index) => (row.has && this.#ends[index] === index + 1 ? { ...row, has: false, cut: true } : row));
  }

  /** The lines that are shown with this `open`, some of them. */
  rows(open, from, count) {
    const { shown, opened } = this.#shown(open);
    const rows = shown.slice(from, from + count).map(({ index, isOpen }) => ({ ...this.#rows[index], open: isOpen }));
    return { total: shown.length, rows, open: opened };
  }

  /** Opens what is above a call. */
  reveal(open, row) {
    return this.#reveal(open, this.#nearest(row), `c${row}`);
  }

  /** Opens what is above a gap. */
  revealGap(open, gap) {
    const index = this.#rows.findIndex(({ id }) => gapOf(id) === gap);
    return this.#reveal(open, index, `g0.${gap}`);
  }

  /** The gaps, and what is above each. */
  gaps() {
    return this.#rows.flatMap(({ id, gap }, index) => (gap ? [{ id, row: rowOf(id), gap, above: this.#callers(index) }] : []));
  }

  #reveal(open, index, id) {
    const { shown, opened } = this.#shown(open);
    if (index < 0) {
      return { open: opened, id, index: null, total: shown.length, hidden: "it is left out of the report" };
    }
    const above = this.#above(index).map((at) => this.#rows[at].id);
    const states = opened.split(",").filter((state) => state !== "" && !above.includes(nodeOf(state)));
    const now = [...states, ...above.map((id) => `${id}+`)].join(",");
    const after = this.#shown(now).shown;
    const line = after.findIndex((known) => known.index === index);
    return { open: now, id: this.#rows[index].id, index: line, total: after.length };
  }

  // The line of a call, or else of the innermost repeat that it is in; -1: of neither.
  #nearest(row) {
    const index = this.#rows.findIndex(({ call }) => call?.row === row);
    if (index >= 0) return index;
    return this.#rows.findLastIndex(({ id }) => {
      const calls = callsOf(id);
      return calls !== null && row >= rowOf(id) && row < rowOf(id) + calls;
    });
  }

  /** What is known of a call; `null`: it is not here. */
  call(row) {
    const index = this.#rows.findIndex(({ call }) => call?.row === row);
    if (index < 0) return null;
    return { call: this.#rows[index].call, above: this.#callers(index) };
  }

  #callers(index) {
    const above = this.#above(index).map((at) => this.#rows[at].call).filter((call) => call !== undefined);
    return above.map(({ row, name, file, line }) => ({ row, name, file, line }));
  }

  /** The lines in which a text occurs; in any case unless it has a capital letter. */
  search(q, places = "names,files,values") {
    const wanted = new Set(String(places || "names,files,values").split(","));
    const folds = q === q.toLowerCase();
    const find = (text) => (folds ? text.toLowerCase() : text).includes(q);
    const hits = [];
    for (const { call } of this.#rows) {
      if (call === undefined) continue;
      const texts = [
        ...(wanted.has("names") ? [["name", call.name]] : []),
        ...(wanted.has("files") ? [["file", call.file]] : []),
        ...(wanted.has("values") ? valuesOf(call) : []),
      ];
      const hit = texts.find(([, text]) => find(text));
      if (hit !== undefined) {
        hits.push({ row: call.row, name: call.name, file: call.file, line: call.line, where: hit[0], text: hit[1].slice(0, 120) });
      }
    }
    return hits.sort((a, b) => a.row - b.row);
  }

  #shown(text) {
    if (this.#layout.open === text) return this.#layout;
    const open = new Open(text);
    const opened = open.isAuto ? this.#auto() : text;
    const states = open.isAuto ? new Open(opened) : open;
    const shown = [];
    // For each level above, whether everything below it is open.
    const all = [];
    let index = 0;
    while (index < this.#rows.length) {
      const { id, level, has } = this.#rows[index];
      all.length = level;
      const inherited = level === 0 ? states.isAll : all[level - 1];
      const [isOpen, below] = states.of(id, inherited);
      all.push(below);
      shown.push({ index, isOpen: isOpen && has });
      index = isOpen ? index + 1 : this.#ends[index];
    }
    this.#layout = { open: text, shown, opened };
    return this.#layout;
  }

  /** The upper levels, as many as fit. */
  #auto() {
    const perLevel = [];
    for (const { level } of this.#rows) perLevel[level] = (perLevel[level] ?? 0) + 1;
    let lines = 0;
    let levels = 0;
    while (levels < perLevel.length && (levels === 0 || lines + perLevel[levels] <= AUTO_LINES)) {
      lines += perLevel[levels];
      levels += 1;
    }
    const opened = this.#rows.filter(({ level, has }) => has && level < levels - 1);
    return ["none", ...opened.map(({ id }) => `${id}+`)].join(",");
  }

  #above(index) {
    const above = [];
    let { level } = this.#rows[index];
    for (let at = index - 1; at >= 0 && level > 0; at -= 1) {
      if (this.#rows[at].level < level) {
        above.unshift(at);
        level = this.#rows[at].level;
      }
    }
    return above;
  }
}

function endsOf(rows) {
  const ends = new Array(rows.length);
  const open = [];
  rows.forEach(({ level }, index) => {
    while (open.length > 0 && rows[open.at(-1)].level >= level) ends[open.pop()] = index;
    open.push(index);
  });
  for (const index of open) ends[index] = rows.length;
  return ends;
}

function valuesOf(call) {
  const known = (call.arguments ?? []).filter(([, value]) => value !== null);
  return [
    ...known.map(([name, value]) => ["arguments", `${name}=${value}`]),
    ...["result", "exception", "message"].filter((part) => typeof call[part] === "string").map((part) => [part, call[part]]),
  ];
}
