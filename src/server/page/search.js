// Search over names, files and values: the server scans, in slices, and the page asks on.

import { announce, button, debounce, fill, h } from "pytrace/dom.js";
import { stale } from "pytrace/api.js";
import { count } from "pytrace/format.js";
import { rowOf } from "pytrace/open.js";

const PLACES = [["names", "Names"], ["files", "Files"], ["values", "Values"]];
// Which hit the selected one is takes a count of all: with each step only where that is quick.
const QUICK_MS = 300;
// A count goes on while the page is looked at, so it leaves the server time for others.
const PAUSE_MS = 20;

/**
 * Where a query is in a text, in any case unless it has a capital letter.
 * @param {string} query
 * @returns {((text: string) => [number, number][]) | null}
 */
export function marker(query) {
  if (query === "") return null;
  const sensitive = query !== query.toLowerCase();
  return (text) => {
    const folded = sensitive ? text : text.toLowerCase();
    // Folding may change lengths: then places would be wrong, and none is marked.
    if (folded.length !== text.length) return [];
    const found = [];
    for (let at = folded.indexOf(query); at >= 0; at = folded.indexOf(query, at + query.length)) found.push([at, at + query.length]);
    return found;
  };
}

export class Search {
  #server;
  #state;
  #tree;
  #input;
  #count;
  #run = 0;
  #counting = 0;
  /** How many there are, once that is known, and how long it took to find out. */
  #hits = null;
  #cost = 0;

  constructor(element, server, state, tree) {
    this.#server = server;
    this.#state = state;
    this.#tree = tree;
    this.#input = h("input", {
      type: "search", id: "search-input", placeholder: "Search calls  /", "aria-label": "Search names, files and values", autocomplete: "off", spellcheck: "false",
      oninput: debounce(() => this.#typed(), 250),
      onkeydown: (event) => this.#key(event),
    });
    this.#count = h("output", { id: "search-count", for: "search-input" });
    // It takes the focus that a press on a label would give to nothing, which would hide it before it is a click.
    const places = h("span", { class: "places", role: "group", "aria-label": "Search in", tabindex: -1 }, ...PLACES.map(([value, text]) =>
      h("label", { class: "check" }, h("input", { type: "checkbox", id: `search-${value}`, value, onchange: () => this.#placed(places) }), ` ${text}`)));
    fill(element, this.#input,
      button("‹", () => this.next("previous"), { id: "search-previous", "aria-label": "Previous hit", title: "Previous hit (N)" }),
      button("›", () => this.next("next"), { id: "search-next", "aria-label": "Next hit", title: "Next hit (n)" }),
      this.#count, places);
    this.#show(element);
    state.addEventListener("change", ({ detail }) => {
      if (detail.has("q") || detail.has("in")) this.#show(element);
      if (["q", "in", "hide", "min", "only"].some((name) => detail.has(name))) this.#recount();
      else if ((detail.has("at") || detail.has("thread")) && this.#hits !== null) this.#moved();
    });
    if (state.get("q")) this.#recount();
  }

  focus() {
    this.#input.focus();
    this.#input.select();
  }

  /** Goes to a hit. @param {"next" | "previous"} direction */
  async next(direction) {
    const q = this.#state.get("q");
    if (q === "") return this.focus();
    const run = (this.#run += 1);
    let wrapped = false;
    let after = this.#after();
    this.#count.classList.add("running");
    try {
      while (run === this.#run) {
        const answer = await this.#server.search({ ...this.#question(), after, direction, limit: 1 });
        const hit = answer.hits[0];
        if (hit) {
          if (wrapped) announce(direction === "next" ? "from the beginning" : "from the end");
          await this.#tree.goTo(hit.thread, hit.row);
          return undefined;
        }
        if (!answer.done) after = answer.at;
        else if (wrapped || after === "") break;
        else {
          wrapped = true;
          after = "";
        }
      }
      if (run === this.#run) announce(`nothing found for ${q}`);
    } catch (error) {
      if (!stale(error)) this.#count.textContent = error.message;
    } finally {
      if (run === this.#run) this.#count.classList.remove("running");
    }
    return undefined;
  }

  #question() {
    return { q: this.#state.get("q"), in: this.#state.get("in"), ...this.#state.filters() };
  }

  #after() {
    const at = this.#state.get("at");
    return at ? `${this.#state.get("thread")}.${rowOf(at)}` : "";
  }

  #typed() {
    this.#state.set({ q: this.#input.value });
  }

  #placed(places) {
    const chosen = [...places.querySelectorAll("input:checked")].map((input) => input.value);
    this.#state.set({ in: chosen.length === PLACES.length ? "" : chosen.join(",") });
  }

  #key(event) {
    if (event.key === "Enter") {
      this.#typed();
      this.next(event.shiftKey ? "previous" : "next");
    } else if (event.key === "Escape") {
      this.#input.value = "";
      this.#typed();
      this.#tree.focus();
    } else return;
    event.preventDefault();
  }

  #show(element) {
    const q = this.#state.get("q");
    if (document.activeElement !== this.#input) this.#input.value = q;
    const places = this.#state.get("in");
    for (const [value] of PLACES) {
      element.querySelector(`#search-${value}`).checked = places === "" || places.split(",").includes(value);
    }
    element.classList.toggle("used", q !== "");
    this.#tree.mark(marker(q));
  }

  #moved() {
    if (this.#cost <= QUICK_MS) this.#recountSoon();
    else this.#say(this.#hits, 0, true);
  }

  #recountSoon = debounce(() => this.#recount(), 200);

  async #recount() {
    const run = (this.#counting += 1);
    const q = this.#state.get("q");
    this.#server.cancel("search/count");
    if (q === "") {
      this.#count.textContent = "";
      return;
    }
    const began = performance.now();
    let found = 0;
    let before = 0;
    let at = "";
    this.#hits = null;
    try {
      for (;;) {
        const answer = await this.#server.searchCount({ ...this.#question(), after: this.#after(), at });
        if (run !== this.#counting) return;
        found += answer.count;
        before += answer.before;
        this.#say(found, before, answer.done);
        if (answer.done) {
          this.#hits = found;
          this.#cost = performance.now() - began;
          return;
        }
        at = answer.at;
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    } catch (error) {
      if (!stale(error) && run === this.#counting) this.#count.textContent = error.message;
    }
  }

  #say(found, before, done) {
    const number = before > 0 ? `${count(before)} of ` : "";
    this.#count.textContent = found === 0 && done ? "no hits" : `${number}${count(found)}${done ? "" : "…"}`;
  }
}
