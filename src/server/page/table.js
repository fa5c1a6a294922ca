// A table of any length: sorted by the server, asked for where it is looked at.

import { button, fill, h } from "pytrace/dom.js";
import { stale } from "pytrace/api.js";
import { VirtualList } from "pytrace/virtual.js";

const PAGE = 100;

/**
 * @typedef {object} Column
 * @property {string} name class of its cells
 * @property {string} title
 * @property {string} [sort] what the server sorts by for it
 * @property {(row: object) => Node | string} cell
 */

/** Tells of `sort` (`detail`: a column's `sort`), `chosen` (`detail`: a row), `failed`. */
export class Table extends EventTarget {
  #columns;
  #ask;
  #keyOf;
  #grid;
  #head;
  #stage;
  #list;
  #empty;
  #rows = new Map();
  #total = 0;
  #version = 0;
  #asked = null;
  #selected = -1;
  #chosen = null;

  /**
   * @param {string} id
   * @param {Column[]} columns
   * @param {(from: number, count: number) => Promise<{total: number, rows: object[]}>} ask
   * @param {(row: object) => string} keyOf tells rows apart
   */
  constructor(panel, id, label, columns, ask, keyOf) {
    super();
    this.#columns = columns;
    this.#ask = ask;
    this.#keyOf = keyOf;
    this.#head = h("div", { role: "row", class: "row" });
    this.#stage = h("div", { role: "rowgroup", class: "stage" });
    this.#empty = h("p", { class: "empty", hidden: true });
    const scroller = h("div", { class: "scroller" });
    this.#grid = h("div", {
      id, role: "grid", class: `table ${id}`, tabindex: 0, "aria-label": label, "aria-colcount": columns.length,
      onkeydown: (event) => this.#key(event), onclick: (event) => this.#click(event),
    }, h("div", { role: "rowgroup", class: "head" }, this.#head), scroller);
    panel.append(this.#grid, this.#empty);
    this.#list = new VirtualList(scroller, this.#stage, (first, last, offset, height) => this.#draw(first, last, offset, height));
  }

  focus() {
    this.#grid.focus();
  }

  /**
   * Asks anew. @param {{sort: string, order: string, chosen: string, empty: string}} how it stands
   */
  async reload({ sort, order, chosen, empty }) {
    this.#version += 1;
    this.#asked = null;
    this.#chosen = chosen;
    this.#heads(sort, order);
    this.#empty.textContent = empty;
    this.#list.moveTo(0);
    await this.#load(0);
  }

  /** Points a row out. */
  choose(key) {
    this.#chosen = key;
    this.#list.draw();
  }

  #heads(sort, order) {
    fill(this.#head, ...this.#columns.map((column) => {
      const sorted = column.sort === sort;
      const direction = sorted ? (order === "asc" ? "ascending" : "descending") : "none";
      return h("div", { role: "columnheader", class: column.name, "aria-sort": column.sort ? direction : null },
        column.sort
          ? button(`${column.title}${sorted ? (order === "asc" ? " ▴" : " ▾") : ""}`, () => this.dispatchEvent(new CustomEvent("sort", { detail: column.sort })), { class: "quiet", "data-sort": column.sort })
          : column.title);
    }));
  }

  async #load(from) {
    const start = Math.max(0, Math.floor(from / PAGE) * PAGE);
    const version = this.#version;
    this.#asked = start;
    try {
      const answer = await this.#ask(start, PAGE);
      if (version !== this.#version) return;
      if (start === 0) this.#rows.clear();
      answer.rows.forEach((row, offset) => this.#rows.set(start + offset, row));
      this.#total = answer.total;
      this.#grid.setAttribute("aria-rowcount", String(answer.total + 1));
      this.#empty.hidden = answer.total > 0;
      this.#list.resize(answer.total);
      this.#list.draw();
    } catch (error) {
      if (!stale(error)) this.dispatchEvent(new CustomEvent("failed", { detail: error }));
    } finally {
      if (version === this.#version) this.#asked = null;
    }
  }

  #draw(first, last, offset, height) {
    const drawn = [];
    for (let index = first; index < last; index += 1) {
      const row = this.#rows.get(index);
      if (!row && this.#asked === null) this.#load(index);
      const key = row ? this.#keyOf(row) : "";
      const element = h("div", {
        role: "row", class: row ? "row" : "row waiting", id: `${this.#grid.id}-${index}`, "data-key": key,
        "aria-rowindex": index + 2, "aria-selected": String(row !== undefined && key === this.#chosen),
      }, ...this.#columns.map((column) => h("div", { role: "gridcell", class: column.name }, row ? column.cell(row) : "")));
      if (index === this.#selected) element.classList.add("active");
      element.style.transform = `translateY(${offset + (index - first) * height}px)`;
      drawn.push(element);
    }
    fill(this.#stage, ...drawn);
    const active = this.#selected >= first && this.#selected < last ? `${this.#grid.id}-${this.#selected}` : null;
    if (active) this.#grid.setAttribute("aria-activedescendant", active);
    else this.#grid.removeAttribute("aria-activedescendant");
  }

  #select(index) {
    this.#selected = Math.max(0, Math.min(index, this.#total - 1));
    this.#list.show(this.#selected);
    this.#list.draw();
  }

  #take(index) {
    const row = this.#rows.get(index);
    if (!row) return;
    this.#selected = index;
    this.#chosen = this.#keyOf(row);
    this.#list.draw();
    this.dispatchEvent(new CustomEvent("chosen", { detail: row }));
  }

  #click(event) {
    const element = event.target.closest(".row[data-key]");
    if (!element || event.target.closest("button")) return;
    this.#take(Number(element.id.slice(this.#grid.id.length + 1)));
  }

  #key(event) {
    if (event.target !== this.#grid || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.#list.visible) - 1);
    const moves = {
      ArrowDown: this.#selected + 1, ArrowUp: this.#selected - 1, PageDown: this.#selected + page,
      PageUp: this.#selected - page, Home: 0, End: this.#total - 1,
    };
    if (event.key in moves) this.#select(moves[event.key]);
    else if (event.key === "Enter" || event.key === " ") this.#take(this.#selected);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** A cell with a bar that shows a part of a whole. */
export function barCell(text, share) {
  const bar = h("span", { class: "share", "aria-hidden": "true" });
  bar.style.setProperty("--share", Math.max(0, Math.min(1, share ?? 0)));
  const cell = document.createDocumentFragment();
  cell.append(bar, h("span", null, text));
  return cell;
}
