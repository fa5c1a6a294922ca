// The flame graph: calls merged by their path of functions, the outermost at the top.

import { bdi, button, cut, fill, h, visible } from "pytrace/dom.js";
import { stale } from "pytrace/api.js";
import { atLine, counted, percent, time } from "pytrace/format.js";
import { scopePicker } from "pytrace/scope.js";

const MOST_NODES = 2000;
// Narrower ones can't be hit.
const LEAST_SHARE = 0.001;
// More names would say no more.
const NAMED_SHARE = 0.02;

export class Flame {
  #server;
  #state;
  #failed;
  #scope;
  #graph;
  #path;
  #note;
  #nodes = [];
  #elements = [];
  #trail = [];
  #focused = 0;
  #wantsFocus = false;

  static concerns = ["thread", "of", "flame", "grouping", "hide", "min", "only"];

  constructor(panel, server, state, failed) {
    this.#server = server;
    this.#state = state;
    this.#failed = failed;
    this.#scope = scopePicker("flame-of", state);
    this.#path = h("nav", { id: "flame-path", "aria-label": "Zoomed to" });
    this.#note = h("span", { class: "summary" });
    this.#graph = h("div", {
      id: "flame", role: "tree", "aria-label": "Flame graph",
      onkeydown: (event) => this.#key(event), onclick: (event) => this.#click(event),
      onfocusin: (event) => this.#focus(this.#elements.indexOf(event.target)),
    });
    panel.append(h("div", { class: "tools" }, this.#scope.element, this.#path, this.#note), h("div", { class: "scroller" }, this.#graph));
  }

  focus() {
    const element = this.#elements[this.#focused] ?? this.#elements.find(Boolean);
    // What is not there yet gets the focus once it is.
    this.#wantsFocus = element === undefined;
    element?.focus();
  }

  async sync() {
    this.#scope.show();
    const at = this.#state.get("flame");
    if (at === "") this.#trail = [];
    try {
      const answer = await this.#server.flame({ thread: this.#scope.thread(), at, least: LEAST_SHARE, ...this.#state.filters() });
      this.#draw(answer);
    } catch (error) {
      // A link may name a node that this trace does not have.
      if (error.status === 404 && at !== "") this.#state.set({ flame: "" });
      else if (!stale(error)) this.#failed(error);
    }
  }

  #draw(answer) {
    const hadFocus = this.#graph.contains(document.activeElement)
      || (this.#wantsFocus && this.#state.get("view") === "flame" && document.activeElement === document.body);
    this.#nodes = answer.nodes;
    this.#elements = [];
    this.#focused = 0;
    const top = answer.nodes.reduce((sum, [depth, , total]) => sum + (depth === 0 ? total : 0), 0);
    const whole = Math.max(1, top, this.#state.get("flame") === "" ? answer.total : 0);
    const used = new Map();
    const place = [];
    let deepest = 0;
    let left = answer.left_out ?? 0;
    fill(this.#graph);
    answer.nodes.forEach(([depth, code, total, self, calls, parent], index) => {
      const from = used.get(parent) ?? place[parent] ?? 0;
      place[index] = from;
      used.set(parent, from + total);
      if (total / whole < LEAST_SHARE || this.#graph.childElementCount >= MOST_NODES) {
        left += 1;
        return;
      }
      deepest = Math.max(deepest, depth);
      const element = this.#node({ code: answer.codes[code], depth, total, self, calls, share: total / whole }, index);
      element.style.left = `${(from / whole) * 100}%`;
      element.style.width = `${(total / whole) * 100}%`;
      element.style.setProperty("--depth", depth);
      this.#elements[index] = element;
      this.#graph.append(element);
    });
    this.#graph.style.setProperty("--levels", deepest + 1);
    if (this.#elements[0]) this.#elements[0].tabIndex = 0;
    this.#note.textContent = answer.nodes.length === 0 ? "No calls." : left > 0
      ? `${counted(left, "path")} ${this.#graph.childElementCount < MOST_NODES ? "too small to show" : "more: zoom in to see them"}` : "";
    this.#paths();
    if (hadFocus) this.focus();
  }

  #node({ code, depth, total, self, calls, share }, index) {
    const [name, file, line, category] = code ?? ["?", "", 0, "external"];
    const facts = `${time(total)}, ${percent(share)}; self ${time(self)}; ${counted(calls, "call")}`;
    const place = visible(cut(file + atLine(line), 400));
    return h("div", {
      role: "treeitem", tabindex: -1, class: `node ${category} tone${Math.abs(index * 7 + depth) % 3}`, "data-node": this.#nodes[index][6],
      "data-index": index, "aria-level": depth + 1, "aria-label": `${visible(cut(name, 200))}, ${facts}`, title: `${visible(cut(name, 400))}\n${place}\n${facts}`,
    }, share >= NAMED_SHARE ? bdi(cut(name, 120)) : "");
  }

  #paths() {
    const crumbs = this.#state.get("flame") === "" ? [] : [["", "all"], ...this.#trail.filter(([node]) => node !== this.#state.get("flame"))];
    fill(this.#path, ...crumbs.map(([node, name]) => h("span", null,
      button(bdi(cut(name, 60)), () => this.#zoomOut(node), { class: "link", "data-node": node, id: node === "" ? "flame-reset" : null }), " › ")));
  }

  #zoomOut(node) {
    const at = this.#trail.findIndex(([other]) => other === node);
    this.#trail = this.#trail.slice(0, at + 1);
    this.#state.set({ flame: node });
  }

  #name(index) {
    return this.#elements[index]?.getAttribute("aria-label")?.split(", ")[0] ?? "";
  }

  #zoom(index) {
    const node = this.#nodes[index];
    if (!node) return;
    const [, code, , , , , id] = node;
    // The ancestors on the way to it: the server does not say them again.
    const way = [];
    for (let up = index; up >= 0; up = this.#nodes[up][5]) way.unshift([String(this.#nodes[up][6]), this.#name(up)]);
    const known = this.#trail.filter(([other]) => !way.some(([step]) => step === other));
    this.#trail = [...known, ...way];
    this.#state.set({ flame: String(id), code: String(code) });
  }

  #click(event) {
    const element = event.target.closest(".node");
    if (element) this.#zoom(Number(element.dataset.index));
  }

  #focus(index) {
    if (index < 0) return;
    if (this.#elements[this.#focused]) this.#elements[this.#focused].tabIndex = -1;
    this.#focused = index;
    this.#elements[index].tabIndex = 0;
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const [, , , , , parent] = this.#nodes[this.#focused] ?? [];
    const sameParent = (index) => this.#nodes[index]?.[5] === parent && this.#elements[index];
    const search = (step, fits) => {
      for (let index = this.#focused + step; index >= 0 && index < this.#nodes.length; index += step) if (fits(index)) return index;
      return -1;
    };
    const moves = {
      ArrowUp: () => parent,
      ArrowDown: () => search(1, (index) => this.#nodes[index][5] === this.#focused && this.#elements[index]),
      ArrowRight: () => search(1, sameParent),
      ArrowLeft: () => search(-1, sameParent),
      Home: () => 0,
    };
    if (event.key in moves) {
      const to = moves[event.key]();
      this.#elements[to]?.focus();
    } else if (event.key === "Enter" || event.key === " ") this.#zoom(this.#focused);
    else if ((event.key === "Escape" || event.key === "Backspace") && this.#state.get("flame") !== "") {
      this.#zoomOut(this.#trail.at(-2)?.[0] ?? "");
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
