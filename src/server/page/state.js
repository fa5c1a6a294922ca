// What is looked at, kept in the address: a link shows the same to whoever opens it, and Back goes back.

export const VIEWS = ["tree", "timeline", "flame", "functions", "patterns"];
export const GROUPINGS = ["near", "exact", "none"];

const NODE = /^(c\d{1,12}|[rg]\d{1,12}\.\d{1,12})?$/;
const LONGEST_OPEN = 16_384;
const OPEN = /^(all|none|c\d{1,12}[-+*]|r\d{1,12}\.\d{1,12}([-+*]|@\d{1,12}\*?))$/;
const COLUMNS = ["name", "file", "calls", "total", "self", "share", "mean", "p50", "p95", "max", "raised"];

const number = (fallback) => ({
  fallback,
  read: (text) => (/^\d{1,16}$/.test(text) ? Math.min(Number(text), Number.MAX_SAFE_INTEGER) : fallback),
});
const matching = (pattern, fallback = "") => ({ fallback, read: (text) => (pattern.test(text) ? text : fallback) });
const choice = (values, fallback) => ({ fallback, read: (text) => (values.includes(text) ? text : fallback) });
const text = { fallback: "", read: (value) => value.slice(0, 1000) };

/** Whoever sent a link may have written anything: each value is checked as it is read. */
const FIELDS = {
  view: choice(VIEWS, "tree"),
  thread: number(0),
  at: matching(NODE),
  // The server refuses what it does not know: then there would be no tree at all.
  open: { fallback: "", read: (value) => value.slice(0, LONGEST_OPEN).split(",").filter((state) => OPEN.test(state)).join(",") },
  top: number(0),
  grouping: choice(GROUPINGS, "near"),
  hide: matching(/^(imports|external|imports,external)?$/),
  min: number(0),
  only: choice(["exceptions"], ""),
  q: text,
  in: matching(/^[a-z,]{0,40}$/),
  /** The stretch of the timeline; `to` 0: everything. */
  from: number(0),
  to: number(0),
  /** Tables and flame graph: of one thread or all. */
  of: choice(["all", "thread"], "all"),
  flame: matching(/^\d{0,16}$/),
  code: matching(/^\d{0,12}$/),
  sort: choice(COLUMNS, ""),
  order: choice(["desc", "asc"], "desc"),
  fq: text,
  psort: choice(["total", "calls", "count", "mean"], "total"),
};

// Not left out where they are as usual: the server's command line and the trace may set other defaults.
const ALWAYS = new Set(["thread", "grouping", "hide"]);

/** Changes of these are steps that Back goes back. */
const STEPS = ["view", "thread", "at", "code", "flame"];

/** What a request about calls must say, but for the thread. */
export const FILTERS = ["grouping", "hide", "min", "only"];

export class State extends EventTarget {
  #values;
  #defaults;
  #timer = 0;
  #pushed = 0;
  #push = false;

  /** @param {{grouping: string, hide: string}} defaults what the command line asked for */
  constructor(defaults) {
    super();
    this.#defaults = defaults;
    this.#values = this.#read();
    addEventListener("popstate", () => this.#take());
  }

  /** A value by its name in `FIELDS`. */
  get(name) {
    return this.#values[name];
  }

  /** Whose calls tables and flame graph are of, as a parameter of a request. */
  get scope() {
    return this.#values.of === "all" ? "all" : this.#values.thread;
  }

  /** The filters, as parameters of a request. */
  filters() {
    const { grouping, hide, min, only } = this.#values;
    return { grouping, hide, min: min || "", only };
  }

  /**
   * Changes values, and tells those who listen for `change` which.
   * @param {Record<string, unknown>} patch
   */
  set(patch) {
    const changed = new Set();
    for (const [name, value] of Object.entries(patch)) {
      if (this.#values[name] !== value) {
        this.#values[name] = value;
        changed.add(name);
      }
    }
    if (changed.size === 0) return;
    this.#push ||= STEPS.some((name) => changed.has(name));
    this.#write();
    this.dispatchEvent(new CustomEvent("change", { detail: changed }));
  }

  #read() {
    const parameters = new URLSearchParams(location.hash.slice(1));
    const values = {};
    for (const [name, field] of Object.entries(FIELDS)) {
      const given = parameters.get(name);
      values[name] = given === null ? field.read(String(this.#defaults[name] ?? field.fallback)) : field.read(given);
    }
    return values;
  }

  #take() {
    clearTimeout(this.#timer);
    this.#push = false;
    const values = this.#read();
    const changed = new Set(Object.keys(FIELDS).filter((name) => values[name] !== this.#values[name]));
    this.#values = values;
    if (changed.size > 0) this.dispatchEvent(new CustomEvent("change", { detail: changed }));
  }

  // Browsers refuse an address that changes too often, which zooming and held keys would do. Steps
  // within a second of each other are one.
  #write() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const parameters = new URLSearchParams();
      for (const [name, field] of Object.entries(FIELDS)) {
        const value = this.#values[name];
        if (value !== field.fallback || ALWAYS.has(name)) parameters.set(name, String(value));
      }
      const step = this.#push && performance.now() - this.#pushed > 1000;
      if (this.#push) this.#pushed = performance.now();
      this.#push = false;
      const address = `#${parameters}`;
      if (address === location.hash) return;
      if (step) history.pushState(null, "", address);
      else history.replaceState(null, "", address);
    }, 150);
  }
}
