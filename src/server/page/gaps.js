// Where events are missing: what is said of it, and the way from one gap to the next.

import { announce } from "pytrace/dom.js";
import { stale } from "pytrace/api.js";
import { count, counted } from "pytrace/format.js";
import { gapOf, rowOf } from "pytrace/open.js";

/** What a gap has lost, in two parts. */
export function gapTexts({ lost, gaps, starts, ends }) {
  const places = gaps > 1 ? `, in ${counted(gaps, "gap")}` : "";
  return [`${counted(lost, "event")} lost here${places}`, `${counted(starts, "call")} began, ${count(ends)} ended`];
}

export class Gaps {
  #server;
  #state;
  #tree;
  #failed;

  /** @param {(error: Error) => void} failed */
  constructor(server, state, tree, failed) {
    this.#server = server;
    this.#state = state;
    this.#tree = tree;
    this.#failed = failed;
  }

  /** Goes to the first of all. */
  async first() {
    await this.#go(() => this.#ask({ direction: "next" }));
  }

  /** Goes on from what is selected. @param {"next" | "previous"} direction */
  async next(direction) {
    await this.#go(async () => {
      const found = await this.#beyond(direction);
      if (found !== null) return found;
      const other = await this.#ask({ direction });
      if (other !== null) announce(direction === "next" ? "from the beginning" : "from the end");
      return other;
    });
  }

  async #go(find) {
    try {
      const found = await find();
      if (found === null) announce("nothing is missing here");
      else this.#tree.goTo(found.thread, rowOf(found.id), found.id);
    } catch (error) {
      if (!stale(error)) this.#failed(error);
    }
  }

  async #beyond(direction) {
    const [thread, at] = [this.#state.get("thread"), this.#state.get("at")];
    if (at === "") return null;
    const gap = gapOf(at);
    if (gap === null) return this.#ask({ after: `${thread}.${rowOf(at)}`, direction });
    const known = await this.#ask({ thread, gap });
    return known === null ? null : known[direction];
  }

  /** `null`: there is none. */
  async #ask(question) {
    try {
      return await this.#server.gap({ ...question, ...this.#state.filters() });
    } catch (error) {
      if (error.status === 404) return null;
      throw error;
    }
  }
}
