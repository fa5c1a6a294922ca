// What the timeline knows of each thread, and where on the canvas it is.

export const LEVEL = 18;
export const HEAD = 20;
const GAP = 6;
// With many threads, so many levels of each are shown until more are asked for.
const COMPACT = 12;

/**
 * @typedef {object} Lane
 * @property {object} thread as `/api/trace` has it
 * @property {number} levels that it has
 * @property {boolean} whole whether all levels are shown
 * @property {number} top pixels from the top of the first lane
 * @property {Answer | null} answer what was last heard of it
 */
/**
 * @typedef {object} Answer
 * @property {number} from
 * @property {number} to
 * @property {number} width pixels that it was asked for
 * @property {Map<number, object[]>} slices by level, in order of start
 * @property {object[]} dense
 * @property {object[]} bands
 * @property {object[]} gaps
 */

export class Lanes {
  /** @type {Lane[]} */
  list;
  codes = new Map();
  /** How many processes the threads are of. */
  processes;

  constructor(threads) {
    const whole = threads.length === 1;
    this.processes = new Set(threads.map(({ pid }) => pid)).size;
    this.list = threads.map((thread) => ({ thread, levels: thread.depth, whole, top: 0, answer: null }));
    this.#place();
  }

  get height() {
    const last = this.list.at(-1);
    return last ? last.top + this.heightOf(last) : 0;
  }

  /** The levels of a lane that have room. */
  shown(lane) {
    return Math.max(1, lane.whole ? lane.levels : Math.min(lane.levels, COMPACT));
  }

  heightOf(lane) {
    return HEAD + this.shown(lane) * LEVEL + GAP;
  }

  /** The lanes between two heights. */
  between(top, bottom) {
    return this.list.filter((lane) => lane.top < bottom && lane.top + this.heightOf(lane) > top);
  }

  toggle(lane) {
    lane.whole = !lane.whole;
    this.#place();
  }

  /** Shows all levels of a lane, if it takes that to see this one. */
  makeRoom(lane, level) {
    if (level >= this.shown(lane) && level < lane.levels) this.toggle(lane);
  }

  /** Forgets what was heard: other filters make other lanes. */
  forget() {
    for (const lane of this.list) lane.answer = null;
  }

  /** Takes in what `/api/timeline` says for a canvas `width` pixels wide. */
  take({ from, to, codes, lanes }, width) {
    for (const [code, about] of Object.entries(codes)) this.codes.set(Number(code), about);
    for (const heard of lanes) {
      const lane = this.list.find(({ thread }) => thread.index === heard.thread);
      if (!lane) continue;
      lane.levels = heard.levels;
      const slices = new Map();
      for (const [level, start, duration, code, row, flags] of heard.slices) {
        if (!slices.has(level)) slices.set(level, []);
        slices.get(level).push({ level, start: from + start, duration, code, row, raised: (flags & 1) !== 0 });
      }
      const pixel = (to - from) / width;
      lane.answer = {
        from, to, width, slices,
        dense: heard.dense.map(([level, x, pixels, calls]) => ({ level, start: from + x * pixel, duration: pixels * pixel, calls })),
        bands: heard.bands.map(([level, start, duration, repetitions, row, calls]) => ({ level, start: from + start, duration, repetitions, node: `r${row}.${calls}` })),
        gaps: heard.gaps.map(([level, start, duration, lost, row, gap]) => ({ level, start: from + start, duration, lost, node: `g${row}.${gap}` })),
      };
    }
    this.#place();
  }

  /** The level that a gap is drawn from: below all calls there may be none. */
  levelOf(lane, gap) {
    return Math.min(gap.level, this.shown(lane) - 1);
  }

  /** What is at a point of time and a height: a slice, dense calls, a band, a gap, or the head of a lane. */
  at(time, y, reach) {
    const lane = this.between(y, y + 1)[0];
    if (!lane) return null;
    const within = y - lane.top - HEAD;
    if (within < 0) return { kind: "head", lane };
    const level = Math.floor(within / LEVEL);
    if (!lane.answer || level >= this.shown(lane)) return null;
    const covers = (item) => item.level === level && item.start - reach <= time && item.start + item.duration + reach >= time;
    if (within % LEVEL < 5) {
      const band = lane.answer.bands.find(covers);
      if (band) return { kind: "band", lane, ...band };
    }
    const slice = lane.answer.slices.get(level)?.findLast(covers);
    if (slice) return { kind: "slice", lane, ...slice };
    const dense = lane.answer.dense.find(covers);
    if (dense) return { kind: "dense", lane, ...dense };
    const missing = lane.answer.gaps.find((gap) => covers({ ...gap, level: Math.max(level, this.levelOf(lane, gap)) }));
    return missing ? { kind: "gap", lane, ...missing } : null;
  }

  /** Where a node is, if it is drawn. */
  find(thread, node) {
    const lane = this.list.find((other) => other.thread.index === thread);
    if (!lane?.answer) return null;
    if (node.startsWith("r")) {
      const band = lane.answer.bands.find((other) => other.node === node);
      return band ? { lane, ...band } : null;
    }
    if (node.startsWith("g")) {
      const gap = lane.answer.gaps.find((other) => other.node === node);
      return gap ? { lane, ...gap, level: this.levelOf(lane, gap) } : null;
    }
    const row = Number(node.slice(1));
    for (const slices of lane.answer.slices.values()) {
      const slice = slices.find((other) => other.row === row);
      if (slice) return { lane, ...slice };
    }
    return null;
  }

  #place() {
    let top = 0;
    for (const lane of this.list) {
      lane.top = top;
      top += this.heightOf(lane);
    }
  }
}
