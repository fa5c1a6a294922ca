// The call tree: which rows are known, which one is selected, what is open.

import { announce, h } from "pytrace/dom.js";
import { stale } from "pytrace/api.js";
import { counted, time } from "pytrace/format.js";
import { gapTexts } from "pytrace/gaps.js";
import { gapOf, rowOf, stateOf, withAllBelow, withPatterns, withState } from "pytrace/open.js";
import { rowElement, shiftOf } from "pytrace/rows.js";
import { FILTERS } from "pytrace/state.js";
import { VirtualList } from "pytrace/virtual.js";

// Rows asked for beyond what is seen, so that scrolling meets rows that are there.
const OVERSCAN = 60;
const MOST_AT_ONCE = 300;
// More are forgotten: far ones are soon asked for again.
const MOST_KEPT = 3000;
// As many as there is room to speak of in a request.
const MOST_PATTERNS = 1200;
const PATTERNS_AT_ONCE = 100;

const COLUMNS = [["main", "Call"], ["where", "Location"], ["time", "Duration"], ["self", "Self"]];

/** What a screen reader hears of a row. */
function said({ call, gap, repeat }) {
  if (gap) return gapTexts(gap).join(": ");
  return call ? `${call.name}, ${time(call.duration)}` : `${repeat.repetitions} repetitions`;
}

/** Tells of `selected` (`detail`: the row), `hidden` (why a call is not there), `failed` and `rows`. */
export class Tree extends EventTarget {
  #server;
  #state;
  #grid;
  #scroller;
  #stage;
  #depth;
  #list;
  #rows = new Map();
  #elements = new WeakMap();
  #asked = null;
  #drawn = null;
  #total = 0;
  #calls = null;
  #auto = "";
  #selected = -1;
  /** The node of the selected row: a repeat of one call stands for the call that the state names. */
  #chosen = "";
  #shift = 0;
  #marks = null;
  #wanted = null;
  #known = { open: null, at: "", filters: "" };

  constructor(panel, server, state) {
    super();
    this.#server = server;
    this.#state = state;
    this.#stage = h("div", { role: "rowgroup", class: "stage" });
    this.#depth = h("div", { class: "depth", hidden: true });
    const head = h("div", { role: "rowgroup", class: "head" },
      h("div", { role: "row", class: "row" }, ...COLUMNS.map(([name, title]) => h("div", { role: "columnheader", class: name }, title))));
    this.#scroller = h("div", { class: "scroller" });
    this.#grid = h("div", {
      id: "tree", role: "treegrid", tabindex: 0, "aria-label": "Calls", "aria-colcount": COLUMNS.length,
      onkeydown: (event) => this.#key(event),
      onclick: (event) => this.#click(event),
      ondblclick: (event) => this.#click(event, true),
    }, head, this.#scroller);
    panel.append(this.#grid, this.#depth);
    this.#list = new VirtualList(this.#scroller, this.#stage, (first, last, offset, height) => this.#draw(first, last, offset, height));
    this.#scroller.addEventListener("moved", () => state.set({ top: this.#list.first }));
  }

  /** The calls that the filters leave; `null`: not known yet. */
  get calls() {
    return this.#calls;
  }

  /** How many lines there are. */
  get total() {
    return this.#total;
  }

  /** The row that is selected, where it is known. */
  get row() {
    return this.#rows.get(this.#selected) ?? null;
  }

  focus() {
    this.#grid.focus();
  }

  /** Marks what a search finds. @param {((text: string) => [number, number][]) | null} marks */
  mark(marks) {
    this.#marks = marks;
    this.#elements = new WeakMap();
    this.#list.draw();
  }

  /** Brings the tree to what the state says. */
  async sync() {
    const { open, at, filters } = this.#known;
    const now = { open: this.#state.get("open"), at: this.#state.get("at"), filters: this.#question() };
    const first = open === null;
    this.#known = now;
    if (now.filters !== filters || first) {
      this.#auto = "";
      this.#selected = -1;
      this.#chosen = "";
      this.#asked = null;
      const top = first ? this.#state.get("top") : 0;
      if (now.at && (await this.#reveal(rowOf(now.at), now.at, first))) return;
      if (!first) this.#list.moveTo(0);
      await this.#load(top);
      // Only now is it known how far down there is anything.
      this.#list.moveTo(top);
    } else if (now.at !== at && now.at && this.row?.id !== now.at) {
      await this.#reveal(rowOf(now.at), now.at, false);
    } else if (now.open !== open) {
      await this.#load(this.#list.first);
    }
    if (!now.at) this.#select(-1);
  }

  /**
   * Selects a call, opening what it stands in. `node`: the repeat that begins there, or the gap before it,
   * not the call.
   */
  goTo(thread, row, node = `c${row}`) {
    const elsewhere = thread === this.#state.get("thread") ? {} : { open: "", top: 0 };
    this.#state.set({ ...elsewhere, thread, at: node, view: "tree" });
  }

  /** Forgets what it knows, so that the next `sync` asks anew. */
  forget() {
    this.#known = { open: null, at: "", filters: "" };
    this.#drawn = null;
    this.#asked = null;
    this.#rows.clear();
  }

  /** Opens or closes everything. @param {"all" | "none"} word */
  everything(word) {
    this.#state.set({ open: word });
  }

  /** Opens or closes the patterns of this thread, with all that is in them. @param {"*" | "-"} mark */
  async patterns(mark) {
    try {
      const question = { thread: this.#state.get("thread"), sort: "calls", count: PATTERNS_AT_ONCE, ...this.#state.filters() };
      const found = [];
      for (let from = 0; from < MOST_PATTERNS; from += PATTERNS_AT_ONCE) {
        const { total, rows } = await this.#server.patterns({ ...question, from }, "of the tree");
        found.push(...rows.map(({ id }) => id));
        if (rows.length === 0 || found.length >= total) break;
      }
      // The largest are said last: where there is no room for all, it is the first that give way.
      this.#setOpen(withPatterns(this.#open, found.reverse(), mark));
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Opens or closes a row; `all`: with what is below it. */
  async toggle(row, all = false) {
    if (!row.has) return;
    if (all) await this.#toggleAll(row, row.open ? "-" : "*");
    else this.#setOpen(withState(this.#open, row.id, row.open ? "-" : "+"));
  }

  /** @param {"*" | "-"} mark open or close all of it */
  async #toggleAll(row, mark) {
    if (row.has) this.#setOpen(withAllBelow(this.#open, row.id, await this.#end(row), mark));
  }

  /**
   * Shows one repetition of a repeat; `null`: the template. The calls of another repetition are others,
   * of which none was opened: where some of this one are open, all of the other shall be.
   */
  step(row, step) {
    const all = this.#isOpenBelow(row) ? "*" : "";
    this.#setOpen(withState(this.#open, row.id, step === null ? all || "+" : `@${step}${all}`));
    announce(step === null ? "template" : `repetition ${step + 1} of ${row.repeat.repetitions}`);
  }

  /** Whether anything below a row is open, as far as is known. */
  #isOpenBelow(row) {
    for (let index = this.#indexOf(row.id) + 1; this.#rows.get(index)?.level > row.level; index += 1) {
      if (this.#rows.get(index).open) return true;
    }
    return false;
  }

  get #open() {
    return this.#state.get("open") || this.#auto;
  }

  #setOpen(open) {
    this.#state.set({ open });
  }

  #question() {
    return JSON.stringify([this.#state.get("thread"), ...FILTERS.map((name) => this.#state.get(name))]);
  }

  /** The first row, as a number in the thread, that is no longer below this one. */
  async #end(row) {
    const index = this.#indexOf(row.id);
    for (let next = index + 1; next < this.#total; next += 1) {
      if (!this.#rows.has(next)) await this.#load(next, true);
      const other = this.#rows.get(next);
      if (!other) break;
      if (other.level <= row.level) return rowOf(other.id);
      if (next - index > MOST_KEPT) break;
    }
    return Infinity;
  }

  #indexOf(id) {
    for (const [index, row] of this.#rows) if (row.id === id) return index;
    return -1;
  }

  async #reveal(row, node, first) {
    let answer;
    try {
      answer = await this.#server.reveal({
        thread: this.#state.get("thread"), row, gap: gapOf(node), open: this.#open, ...this.#state.filters(),
      });
    } catch (error) {
      this.#failed(error);
      return false;
    }
    if (answer.index === null || answer.index === undefined) {
      this.dispatchEvent(new CustomEvent("hidden", { detail: answer.hidden ?? "it is filtered out" }));
      return false;
    }
    // The call is revealed that a repeat begins with: which repetition is shown, and whether any, stays.
    const mark = node.startsWith("r") ? stateOf(this.#state.get("open"), node) : "";
    const open = mark === "" ? answer.open : withState(answer.open, node, mark);
    this.#known.open = open;
    this.#state.set({ open });
    this.#asked = null;
    await this.#load(Math.max(0, answer.index - Math.floor(this.#list.visible / 2)), false, answer.index);
    let index = answer.index;
    // A repeat is a row above its first call.
    if (node !== answer.id) {
      while (index > 0 && this.#rows.has(index) && this.#rows.get(index).id !== node) index -= 1;
      if (this.#rows.get(index)?.id !== node) index = answer.index;
    }
    this.#select(index, first, node);
    return true;
  }

  /** Asks for the rows around `from`; those drawn stay until the others are there. */
  async #load(from, onlyAbove = false, until = null) {
    const start = Math.max(0, from - (onlyAbove ? 0 : OVERSCAN));
    const wanted = Math.ceil(this.#list.visible) + 2 * OVERSCAN + (until === null ? 0 : Math.max(0, until - from));
    const question = {
      thread: this.#state.get("thread"), from: start, count: Math.min(MOST_AT_ONCE, wanted),
      open: this.#state.get("open"), ...this.#state.filters(),
    };
    const key = JSON.stringify([this.#question(), question.open]);
    this.#asked = { key, from: start, to: start + question.count };
    try {
      this.#take(await this.#server.rows(question), key);
    } catch (error) {
      this.#failed(error);
    } finally {
      if (this.#asked?.key === key && this.#asked.from === start) this.#asked = null;
    }
  }

  #take(answer, key) {
    if (key !== this.#drawn) {
      this.#rows.clear();
      this.#drawn = key;
      if (!this.#state.get("open")) this.#auto = answer.open ?? "";
    }
    if (this.#rows.size > MOST_KEPT) this.#rows.clear();
    answer.rows.forEach((row, offset) => this.#rows.set(answer.from + offset, row));
    this.#total = answer.total;
    this.#calls = answer.calls;
    this.#grid.setAttribute("aria-rowcount", String(answer.total + 1));
    this.#list.resize(answer.total);
    const index = this.#indexOf(this.#chosen);
    if (index >= 0) this.#selected = index;
    this.#list.draw();
    this.dispatchEvent(new Event("rows"));
  }

  #failed(error) {
    if (stale(error)) return;
    this.dispatchEvent(new CustomEvent("failed", { detail: error }));
  }

  #draw(first, last, offset, height) {
    this.#fetchMissing(first, last);
    this.#reframe(first, last);
    const drawn = [];
    for (let index = first; index < last; index += 1) {
      const element = this.#element(index);
      element.style.transform = `translateY(${offset + (index - first) * height}px)`;
      drawn.push(element);
    }
    // Elements that stay are not touched: a pointer that is down on one would lose it.
    const keep = new Set(drawn);
    for (const child of [...this.#stage.children]) if (!keep.has(child)) child.remove();
    let at = this.#stage.firstChild;
    for (const element of drawn) {
      if (element === at) at = at.nextSibling;
      else this.#stage.insertBefore(element, at);
    }
    const active = this.#selected >= first && this.#selected < last ? `row-${this.#selected}` : null;
    if (active) this.#grid.setAttribute("aria-activedescendant", active);
    else this.#grid.removeAttribute("aria-activedescendant");
  }

  #element(index) {
    const row = this.#rows.get(index);
    if (!row) return h("div", { class: "row waiting", role: "row", "aria-rowindex": index + 2 }, h("div", { role: "gridcell" }));
    const after = this.#rows.get(index + 1);
    let built = this.#elements.get(row);
    if (built?.after !== after || !built) {
      const element = rowElement(row, {
        shift: this.#shift, marks: this.#marks, after,
        toggle: (target, all) => this.toggle(target, all),
        step: (target, step) => this.step(target, step),
      });
      built = { element, after };
      this.#elements.set(row, built);
    }
    const { element } = built;
    element.id = `row-${index}`;
    element.setAttribute("aria-rowindex", String(index + 2));
    element.setAttribute("aria-selected", String(index === this.#selected));
    return element;
  }

  #fetchMissing(first, last) {
    let missing = -1;
    for (let index = first; index < last && missing < 0; index += 1) if (!this.#rows.has(index)) missing = index;
    if (missing < 0 || this.#drawn === null) return;
    if (this.#asked && this.#asked.from <= missing && this.#asked.to > missing) return;
    this.#load(first);
  }

  #reframe(first, last) {
    const levels = [];
    for (let index = first; index < last; index += 1) if (this.#rows.has(index)) levels.push(this.#rows.get(index).level);
    const shift = shiftOf(levels);
    if (shift !== this.#shift) {
      this.#shift = shift;
      this.#elements = new WeakMap();
    }
    this.#depth.hidden = shift === 0;
    this.#depth.textContent = `${counted(shift, "level")} above`;
  }

  #select(index, quiet = false, node = null) {
    if (index < 0) {
      this.#selected = -1;
      this.#chosen = "";
      this.#list.draw();
      return;
    }
    this.#selected = Math.min(index, this.#total - 1);
    this.#list.show(this.#selected);
    this.#list.draw();
    const row = this.row;
    if (!row) return;
    this.#chosen = row.id;
    this.#known.at = node ?? row.id;
    this.#state.set({ at: this.#known.at, top: this.#list.first });
    this.dispatchEvent(new CustomEvent("selected", { detail: row }));
    if (!quiet) announce(said(row));
  }

  async #move(index) {
    const target = Math.max(0, Math.min(index, this.#total - 1));
    if (!this.#rows.has(target)) await this.#load(target);
    this.#select(target);
  }

  /** Selects the row that this one stands below. */
  async #parent(row) {
    for (let index = this.#selected - 1; index >= 0; index -= 1) {
      if (!this.#rows.has(index)) await this.#load(Math.max(0, index - MOST_AT_ONCE / 2));
      const other = this.#rows.get(index);
      if (!other) return;
      if (other.level < row.level) {
        this.#select(index);
        return;
      }
    }
  }

  #click(event, twice = false) {
    const element = event.target.closest(".row[data-node]");
    if (!element || event.target.closest("button")) return;
    const index = Number(element.id.slice("row-".length));
    this.#select(index);
    const row = this.#rows.get(index);
    if (row && (twice || (event.altKey || event.shiftKey))) this.toggle(row, !twice);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || (event.altKey && event.key !== "ArrowRight" && event.key !== "ArrowLeft")) return;
    const row = this.row;
    const page = Math.max(1, Math.floor(this.#list.visible) - 1);
    const moves = {
      ArrowDown: this.#selected + 1, ArrowUp: this.#selected < 0 ? 0 : this.#selected - 1,
      PageDown: this.#selected + page, PageUp: this.#selected - page, Home: 0, End: this.#total - 1,
    };
    if (event.key in moves) this.#move(moves[event.key]);
    else if (!row || !this.#act(event, row)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** What keys do with the selected row; whether this one does anything. */
  #act(event, row) {
    const all = event.shiftKey || event.altKey;
    const { repeat } = row;
    const steps = this.#server.steps && repeat?.repetitions > 1;
    const step = repeat?.step ?? null;
    switch (event.key) {
      case "ArrowRight":
        if (row.has && (!row.open || all)) this.toggle(row, all);
        else this.#move(this.#selected + 1);
        return true;
      case "ArrowLeft":
        if (row.has && row.open) this.toggle(row, all);
        else this.#parent(row);
        return true;
      case " ":
        this.toggle(row);
        return true;
      case "*":
        this.#toggleAll(row, "*");
        return true;
      case "Enter":
        this.dispatchEvent(new CustomEvent("opened", { detail: row }));
        return true;
      case "]":
        if (steps && step !== repeat.repetitions - 1) this.step(row, step === null ? 0 : step + 1);
        return steps;
      case "[":
        if (steps && step !== null) this.step(row, step === 0 ? null : step - 1);
        return steps;
      case "s":
        if (steps && repeat.times) this.step(row, repeat.times.slowest);
        return steps;
      case "t":
        if (steps) this.step(row, null);
        return steps;
      default:
        return false;
    }
  }
}
