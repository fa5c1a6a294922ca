// Which thread is looked at: a list that can be searched, since there may be hundreds.

import { bdi, button, cut, fill, h } from "pytrace/dom.js";
import { count, counted } from "pytrace/format.js";

// A longer list is for typing, not for reading.
const MOST_LISTED = 200;

/** `python3 (812, main)` */
export function threadName(thread) {
  return thread.name ? `${thread.name} ${thread.tid}` : `thread ${thread.tid}`;
}

/**
 * A button that opens the list.
 * @param {object} trace as `/api/trace` has it
 * @param {(thread: number) => void} choose
 */
export function threadPicker(trace, choose) {
  let current = 0;
  let active = 0;
  let listed = [];
  const input = h("input", {
    type: "search", id: "thread-search", role: "combobox", "aria-expanded": "true", "aria-controls": "thread-list",
    "aria-label": "Search threads and processes", placeholder: "Thread, process, id", autocomplete: "off", spellcheck: "false",
  });
  const list = h("ul", { id: "thread-list", role: "listbox", "aria-label": "Threads" });
  const more = h("p", { class: "more" });
  const popup = h("div", { id: "thread-popup", popover: "auto" }, input, list, more);
  const opener = button("", null, { id: "thread-picker", "aria-haspopup": "listbox", popovertarget: "thread-popup" });

  function show() {
    const query = input.value.trim().toLowerCase();
    const found = trace.threads.filter((thread) => query === "" || text(thread).includes(query));
    listed = found.slice(0, MOST_LISTED);
    active = Math.max(0, Math.min(active, listed.length - 1));
    fill(list);
    let process = null;
    listed.forEach((thread, index) => {
      if (thread.pid !== process && trace.processes > 1) {
        process = thread.pid;
        list.append(h("li", { role: "presentation", class: "process" }, bdi(cut(`${thread.pid} ${thread.process ?? ""}`, 120))));
      }
      list.append(option(thread, index));
    });
    more.textContent = found.length === 0 ? "No thread is called that." : found.length > listed.length ? `${counted(found.length - listed.length, "more thread")}: type to find them` : "";
    point();
  }

  function option(thread, index) {
    return h("li", {
      role: "option", id: `thread-${thread.index}`, "data-thread": thread.index, "aria-selected": String(thread.index === current),
      onclick: () => take(index),
    }, bdi(cut(threadName(thread), 80)), h("span", { class: "number" }, counted(thread.calls, "call")));
  }

  function point() {
    list.querySelectorAll("[role=option]").forEach((element, index) => {
      element.classList.toggle("active", index === active);
      if (index === active) element.scrollIntoView({ block: "nearest" });
    });
    const thread = listed[active];
    if (thread) input.setAttribute("aria-activedescendant", `thread-${thread.index}`);
    else input.removeAttribute("aria-activedescendant");
  }

  function take(index) {
    const thread = listed[index];
    popup.hidePopover();
    if (thread) choose(thread.index);
    opener.focus();
  }

  input.addEventListener("input", () => {
    active = 0;
    show();
  });
  input.addEventListener("keydown", (event) => {
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 };
    if (event.key in moves) active = Math.max(0, Math.min(active + moves[event.key], listed.length - 1));
    else if (event.key === "Enter") take(active);
    else return;
    event.preventDefault();
    point();
  });
  popup.addEventListener("toggle", (event) => {
    if (event.newState !== "open") return;
    const { left, bottom } = opener.getBoundingClientRect();
    popup.style.left = `${Math.max(8, Math.min(left, innerWidth - popup.offsetWidth - 8))}px`;
    popup.style.top = `${bottom + 4}px`;
    input.value = "";
    active = Math.max(0, trace.threads.findIndex((thread) => thread.index === current));
    show();
    input.focus();
  });

  return {
    elements: [opener, popup],
    /** @param {number} thread */
    show(thread) {
      current = thread;
      const chosen = trace.threads.find(({ index }) => index === thread);
      const one = trace.threads.length === 1;
      opener.disabled = one;
      const process = chosen && trace.processes > 1 ? `${chosen.pid} › ` : "";
      fill(opener, h("span", { class: "unseen" }, "Thread: "),
        chosen ? bdi(cut(`${process}${threadName(chosen)}`, 60)) : "no thread",
        h("span", { class: "number" }, one ? "" : ` 1 of ${count(trace.threads.length)} ▾`));
    },
  };
}

function text(thread) {
  return `${thread.name} ${thread.tid} ${thread.pid} ${thread.process ?? ""}`.toLowerCase();
}
