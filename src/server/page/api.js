// The questions of docs/serve-api.md. The rest of the page knows only these methods: in an exported
// report, which has no server, something else answers them.

/** An answer that says no. */
export class Refused extends Error {
  /** @param {number} status of HTTP; 0: there was no answer */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Whether a request was only given up for a newer one. */
export function stale(error) {
  return error instanceof DOMException && error.name === "AbortError";
}

/**
 * Tells of `busy` (`detail`: whether anything is asked), `gone` and `back`: no server answers, or one
 * does again; and `restarted`: it is not the one that answered before.
 */
export class Server extends EventTarget {
  /** Whether the single repetitions of a repeat can be shown. */
  steps = true;

  #pending = new Map();
  #gone = false;
  /** Which run of the server answers. */
  #run = null;

  trace() {
    return this.#get("trace", {});
  }

  /** @param {{thread: number, from: number, count: number, open: string}} question and filters */
  rows(question) {
    return this.#get("rows", question);
  }

  reveal(question) {
    return this.#get("reveal", question);
  }

  gap(question) {
    return this.#get("gap", question);
  }

  call(question) {
    return this.#get("call", question);
  }

  search(question) {
    return this.#get("search", question);
  }

  searchCount(question) {
    return this.#get("search/count", question);
  }

  /** @param {string} part requests of one part replace each other */
  timeline(question, part) {
    return this.#get("timeline", question, part);
  }

  flame(question) {
    return this.#get("flame", question);
  }

  functions(question) {
    return this.#get("functions", question);
  }

  function(question) {
    return this.#get("function", question);
  }

  patterns(question, part) {
    return this.#get("patterns", question, part);
  }

  source(question) {
    return this.#get("source", question);
  }

  /** Gives up what is asked of this kind. */
  cancel(kind) {
    this.#pending.get(kind)?.abort();
  }

  async #get(path, question, part = "") {
    const kind = path + part;
    this.#pending.get(kind)?.abort();
    const controller = new AbortController();
    this.#pending.set(kind, controller);
    this.#busy();
    try {
      return await this.#fetch(path, question, controller.signal);
    } finally {
      if (this.#pending.get(kind) === controller) this.#pending.delete(kind);
      this.#busy();
    }
  }

  async #fetch(path, question, signal) {
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries(question)) {
      if (value !== "" && value !== null && value !== undefined) parameters.set(name, String(value));
    }
    const query = parameters.size > 0 ? `?${parameters}` : "";
    let response;
    try {
      response = await fetch(`/api/${path}${query}`, { signal, credentials: "omit", cache: "no-store" });
    } catch (error) {
      if (stale(error)) throw error;
      this.#reached(false);
      throw new Refused("the server does not answer", 0);
    }
    this.#reached(true);
    this.#answeredBy(response.headers.get("pytrace-run"));
    const answer = await response.json().catch((error) => {
      if (stale(error)) throw error;
      throw new Refused("the server's answer is cut short", response.status);
    });
    if (!response.ok) throw new Refused(String(answer.error ?? response.statusText), response.status);
    return answer;
  }

  #reached(answers) {
    if (this.#gone !== answers) return;
    this.#gone = !answers;
    this.dispatchEvent(new Event(answers ? "back" : "gone"));
  }

  #answeredBy(run) {
    const before = this.#run;
    this.#run = run;
    if (before !== null && before !== run) this.dispatchEvent(new Event("restarted"));
  }

  #busy() {
    this.dispatchEvent(new CustomEvent("busy", { detail: this.#pending.size > 0 }));
  }
}
