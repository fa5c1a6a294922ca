// The timeline: calls over time, a lane for each thread.

import { bdi, button, cut, fill, h } from "pytrace/dom.js";
import { stale } from "pytrace/api.js";
import { instant, time } from "pytrace/format.js";
import { HEAD, LEVEL, Lanes } from "pytrace/lanes.js";
import { MAP, TOP, drawTimeline, forgetColors, hint } from "pytrace/timeline_draw.js";

// Between two questions to the server, however fast somebody scrolls.
const PAUSE_MS = 120;
const NARROWEST_NS = 50;
const MOST_LANES = 50;
const MOST_LEVELS = 200;
// What is asked for beyond both edges, as a part of what is seen.
const MARGIN = 0.25;
const CLICK_PX = 4;

export class Timeline {
  #server;
  #state;
  #tree;
  #end;
  #lanes;
  #canvas;
  #tip;
  #range;
  #from = 0;
  #to = 1;
  #scroll = 0;
  #frame = 0;
  #timer = 0;
  #askedAt = 0;
  #hovered = null;
  #pointers = new Map();
  #drag = null;

  static concerns = ["thread", "at", "from", "to", "grouping", "hide", "min", "only"];

  constructor(panel, server, state, tree, trace) {
    this.#server = server;
    this.#state = state;
    this.#tree = tree;
    this.#end = Math.max(NARROWEST_NS, trace.end - Math.min(0, trace.start));
    this.#lanes = new Lanes(trace.threads);
    this.#range = h("output", { id: "timeline-range" });
    this.#tip = h("div", { id: "timeline-tip", role: "tooltip", hidden: true });
    this.#canvas = h("canvas", {
      id: "timeline", tabindex: 0, role: "application", "aria-label": "Timeline. Plus and minus zoom, arrows move, F goes to the selected call; the tree has the same calls as text.",
    });
    panel.append(h("div", { class: "tools" },
      button("−", () => this.#zoom(2), { id: "zoom-out", "aria-label": "Zoom out", title: "Zoom out (−)" }),
      button("+", () => this.#zoom(0.5), { id: "zoom-in", "aria-label": "Zoom in", title: "Zoom in (+)" }),
      button("All", () => this.#look(0, this.#end), { id: "zoom-all", title: "All of it (0)" }),
      button("Selected", () => this.#toSelected(), { id: "zoom-selected", title: "To the selected call (f)" }),
      this.#range), h("div", { class: "canvas" }, this.#canvas, this.#tip));
    this.#listen();
    new ResizeObserver(() => this.#changed()).observe(this.#canvas);
  }

  focus() {
    this.#canvas.focus();
  }

  recolour() {
    forgetColors();
    this.#draw();
  }

  async sync() {
    const key = JSON.stringify(this.#state.filters());
    if (key !== this.#filters) this.#lanes.forget();
    this.#filters = key;
    const to = this.#state.get("to");
    // A link of a longer recording shows all of this one.
    const from = this.#state.get("from");
    this.#from = from > this.#end - NARROWEST_NS ? 0 : from;
    this.#to = to >= this.#from + NARROWEST_NS ? Math.min(to, this.#end) : this.#end;
    this.#reach();
    this.#changed();
  }

  #filters = "";

  // Puts the lane and the level of the selected call into view.
  #reach() {
    const thread = this.#state.get("thread");
    const key = `${thread} ${this.#state.get("at")}`;
    if (key === this.#reached) return;
    this.#reached = key;
    const lane = this.#lanes.list.find((other) => other.thread.index === thread);
    if (!lane) return;
    const level = this.#levelOfSelected();
    if (level !== null) this.#lanes.makeRoom(lane, level);
    const top = lane.top + (level === null ? 0 : HEAD + level * LEVEL);
    const room = this.#canvas.clientHeight - TOP;
    if (top >= this.#scroll && top + HEAD <= this.#scroll + room) return;
    // Of a level far down, what is above it is seen as well.
    this.#scroll = level === null || top - lane.top + LEVEL < room ? lane.top : top - room / 2;
  }

  #reached = "";

  // Each repeat around a call is a level of the tree, but not of the timeline.
  #levelOfSelected() {
    const { row } = this.#tree;
    if (this.#state.get("at") === "" || !row) return null;
    return row.level + (row.call || row.gap ? 0 : 1) - (row.boxes?.length ?? 0);
  }

  get #perPixel() {
    return (this.#to - this.#from) / Math.max(1, this.#canvas.clientWidth);
  }

  #look(from, to) {
    const width = Math.max(NARROWEST_NS, Math.min(this.#end, to - from));
    this.#from = Math.max(0, Math.min(from, this.#end - width));
    this.#to = this.#from + width;
    const whole = width >= this.#end;
    this.#state.set({ from: whole ? 0 : Math.round(this.#from), to: whole ? 0 : Math.round(this.#to) });
    this.#changed();
  }

  #zoom(factor, around = (this.#from + this.#to) / 2) {
    this.#look(around - (around - this.#from) * factor, around + (this.#to - around) * factor);
  }

  #pan(ns, pixels = 0) {
    this.#scrollTo(this.#scroll + pixels);
    this.#look(this.#from + ns, this.#to + ns);
  }

  #scrollTo(scroll) {
    const most = Math.max(0, this.#lanes.height - (this.#canvas.clientHeight - TOP));
    this.#scroll = Math.max(0, Math.min(scroll, most));
  }

  #changed() {
    this.#draw();
    const wait = this.#askedAt + PAUSE_MS - performance.now();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), Math.max(0, wait));
  }

  /** Asks for what is seen. The first lane may begin far down, so it is asked for on its own. */
  async #ask() {
    const width = this.#canvas.clientWidth;
    if (width === 0) return;
    this.#askedAt = performance.now();
    const room = this.#canvas.clientHeight - TOP;
    const lanes = this.#lanes.between(this.#scroll, this.#scroll + room).slice(0, MOST_LANES);
    const margin = (this.#to - this.#from) * MARGIN;
    const from = Math.max(0, Math.floor(this.#from - margin));
    const to = Math.min(this.#end, Math.ceil(this.#to + margin));
    const wide = Math.max(1, Math.round((to - from) / this.#perPixel));
    const levels = Math.min(MOST_LEVELS, Math.ceil(room / LEVEL) + 2);
    const [first, ...others] = lanes;
    const ask = async (threads, depth, part) => {
      const answer = await this.#server.timeline({ threads: threads.join(","), from, to, width: wide, depth, levels, ...this.#state.filters() }, part);
      this.#lanes.take(answer, wide);
      this.#draw();
    };
    const index = (lane) => lane.thread.index;
    const depth = first ? Math.max(0, Math.floor((this.#scroll - first.top - HEAD) / LEVEL)) : 0;
    try {
      await Promise.all([
        first ? ask([index(first)], depth, "first") : null,
        others.length > 0 ? ask(others.map(index), 0, "others") : null,
      ]);
    } catch (error) {
      if (!stale(error)) this.#range.textContent = error.message;
    }
  }

  #draw() {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      const { clientWidth: width, clientHeight: height } = this.#canvas;
      if (width === 0) return;
      const ratio = devicePixelRatio || 1;
      const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
      if (this.#canvas.width !== across || this.#canvas.height !== down) {
        this.#canvas.width = across;
        this.#canvas.height = down;
      }
      this.#scrollTo(this.#scroll);
      const context = this.#canvas.getContext("2d");
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      drawTimeline(context, {
        lanes: this.#lanes, from: this.#from, to: this.#to, end: this.#end, scroll: this.#scroll, width, height,
        ...this.#selected(), hovered: this.#hovered?.kind === "head" ? null : this.#hovered,
      });
      const step = this.#perPixel * 10;
      this.#range.textContent = `${instant(this.#from, step)} – ${instant(this.#to, step)} (${time(this.#to - this.#from)})`;
    });
  }

  #selected() {
    const node = this.#state.get("at");
    if (node === "") return { selected: null, selectedAt: null };
    const thread = this.#state.get("thread");
    const row = this.#tree.row?.id === node ? this.#tree.row : undefined;
    return { selected: { thread, node, start: row?.call?.start ?? row?.gap?.since }, selectedAt: this.#lanes.find(thread, node) };
  }

  #toSelected() {
    const { selected, selectedAt } = this.#selected();
    const { call, gap } = this.#tree.row ?? {};
    const start = selectedAt?.start ?? selected?.start;
    const duration = selectedAt?.duration ?? call?.duration ?? (gap ? gap.until - gap.since : undefined);
    if (start === undefined || duration === undefined) return;
    this.#reached = "";
    this.#reach();
    this.#look(start - duration / 3 - 100, start + duration * (4 / 3) + 100);
  }

  #listen() {
    const canvas = this.#canvas;
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#moved(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("pointercancel", (event) => this.#pointers.delete(event.pointerId));
    canvas.addEventListener("pointerleave", () => this.#hover(null));
    canvas.addEventListener("dblclick", () => this.#state.get("at") && this.#state.set({ view: "tree" }));
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  #wheel(event) {
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 20 : 1;
    const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.#pan(sideways * unit * this.#perPixel);
    else this.#zoom(1.0018 ** Math.max(-400, Math.min(400, event.deltaY * unit)), this.#from + event.offsetX * this.#perPixel);
  }

  #down(event) {
    if (event.button !== 0) return;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    this.#drag = { x: event.offsetX, y: event.offsetY, far: false, map: event.offsetY < MAP, pinch: this.#pinch() };
    if (this.#drag.map) this.#toMap(event.offsetX);
  }

  #pinch() {
    const [a, b] = [...this.#pointers.values()];
    return b ? { distance: Math.max(10, Math.abs(a[0] - b[0])), middle: (a[0] + b[0]) / 2 } : null;
  }

  #toMap(x) {
    const half = (this.#to - this.#from) / 2;
    const middle = (x / this.#canvas.clientWidth) * this.#end;
    this.#look(middle - half, middle + half);
  }

  #moved(event) {
    const held = this.#pointers.get(event.pointerId);
    if (!held || !this.#drag) {
      this.#hover(event);
      return;
    }
    this.#pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    if (Math.hypot(event.offsetX - this.#drag.x, event.offsetY - this.#drag.y) > CLICK_PX) this.#drag.far = true;
    const pinch = this.#pinch();
    if (this.#drag.map) this.#toMap(event.offsetX);
    else if (pinch && this.#drag.pinch) {
      this.#zoom(this.#drag.pinch.distance / pinch.distance, this.#from + pinch.middle * this.#perPixel);
      this.#drag.pinch = pinch;
    } else if (this.#drag.far) this.#pan((held[0] - event.offsetX) * this.#perPixel, held[1] - event.offsetY);
    this.#hover(null);
  }

  #up(event) {
    this.#pointers.delete(event.pointerId);
    const drag = this.#drag;
    if (this.#pointers.size === 0) this.#drag = null;
    if (drag && !drag.far && !drag.map) this.#click(this.#at(event));
  }

  #at(event) {
    if (event.offsetY < TOP) return null;
    return this.#lanes.at(this.#from + event.offsetX * this.#perPixel, event.offsetY - TOP + this.#scroll, this.#perPixel);
  }

  #click(item) {
    if (item === null) return;
    if (item.kind === "head") {
      this.#lanes.toggle(item.lane);
      this.#changed();
    } else if (item.kind === "dense") {
      this.#zoom(0.125, item.start + item.duration / 2);
    } else {
      const thread = item.lane.thread.index;
      const elsewhere = thread === this.#state.get("thread") ? {} : { open: "", top: 0 };
      this.#state.set({ ...elsewhere, thread, at: item.node ?? `c${item.row}` });
    }
  }

  #hover(event) {
    const item = event ? this.#at(event) : null;
    this.#hovered = item;
    this.#tip.hidden = item === null;
    this.#canvas.classList.toggle("over", item !== null);
    if (item) {
      const [name, text] = hint(item, this.#lanes.codes, time);
      fill(this.#tip, h("strong", null, bdi(cut(name, 200))), h("span", null, text));
      const left = Math.min(event.offsetX + 12, this.#canvas.clientWidth - this.#tip.offsetWidth - 4);
      const below = event.offsetY + 16 + this.#tip.offsetHeight < this.#canvas.clientHeight;
      this.#tip.style.left = `${Math.max(0, left)}px`;
      this.#tip.style.top = `${below ? event.offsetY + 16 : event.offsetY - this.#tip.offsetHeight - 8}px`;
    }
    this.#draw();
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const part = (this.#to - this.#from) / 10;
    const room = this.#canvas.clientHeight - TOP;
    const actions = {
      "+": () => this.#zoom(0.5), "=": () => this.#zoom(0.5), w: () => this.#zoom(0.5),
      "-": () => this.#zoom(2), s: () => this.#zoom(2),
      ArrowLeft: () => this.#pan(-part), a: () => this.#pan(-part),
      ArrowRight: () => this.#pan(part), d: () => this.#pan(part),
      ArrowUp: () => this.#pan(0, -2 * LEVEL), ArrowDown: () => this.#pan(0, 2 * LEVEL),
      PageUp: () => this.#pan(0, -room), PageDown: () => this.#pan(0, room),
      Home: () => this.#pan(-this.#end), End: () => this.#pan(this.#end),
      0: () => this.#look(0, this.#end), f: () => this.#toSelected(),
      Enter: () => this.#state.get("at") && this.#state.set({ view: "tree" }),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }
}
