// Puts the page together: what changes in the state reaches the views that show it.

import { Server, stale } from "pytrace/api.js";
import { clearFilters, drawControls, filtersSet } from "pytrace/controls.js";
import { Details } from "pytrace/details.js";
import { announce, bdi, button, cut, fill, h, visible } from "pytrace/dom.js";
import { Flame } from "pytrace/flame.js";
import { Functions } from "pytrace/functions.js";
import { Gaps } from "pytrace/gaps.js";
import { drawFolded, drawHeader } from "pytrace/header.js";
import { bindKeys, helpButton } from "pytrace/keyboard.js";
import { Patterns } from "pytrace/patterns.js";
import { reportOf } from "pytrace/report.js";
import { Search } from "pytrace/search.js";
import { State, VIEWS } from "pytrace/state.js";
import { drawTabs } from "pytrace/tabs.js";
import { themeButton } from "pytrace/theme.js";
import { Timeline } from "pytrace/timeline.js";
import { Tree } from "pytrace/tree.js";

// Shorter waits need no word.
const PATIENCE_MS = 300;

const $ = (id) => document.getElementById(id);

/**
 * Shows what stands in the way; with a button where something can be done.
 * @param {"empty" | "hidden" | "failed"} about what it is that the notice ends with
 */
function notice(about, text, action) {
  $("notice").hidden = false;
  $("notice").dataset.about = about;
  fill($("notice"), text, action);
}

/** Takes a notice away, if it is about this. */
function settled(about) {
  if ($("notice").dataset.about === about) $("notice").hidden = true;
}

function failed(error) {
  if (stale(error) || error.status === 0) return;
  notice("failed", visible(error.message), button("Dismiss", () => settled("failed"), { class: "quiet" }));
}

/** Says that there is no server, until there is one. */
function watch(server, again) {
  server.addEventListener("gone", () => {
    $("banner").hidden = false;
    fill($("banner"), "pytrace serve does not answer: it may have been ended. ", button("Try again", again, { id: "retry" }));
  });
  server.addEventListener("back", () => {
    $("banner").hidden = true;
  });
  let timer = 0;
  server.addEventListener("busy", ({ detail }) => {
    clearTimeout(timer);
    if (!detail) $("busy").hidden = true;
    else timer = setTimeout(() => {
      $("busy").hidden = false;
      $("busy").textContent = "Finding patterns, counting…";
    }, PATIENCE_MS);
  });
}

/** A server that was started again may have another trace, of which nothing shown here is true. */
function watchTrace(server, known) {
  server.addEventListener("restarted", async () => {
    try {
      const now = await server.trace();
      if (JSON.stringify(now) !== JSON.stringify(known)) location.replace("/");
    } catch (error) {
      failed(error);
    }
  });
}

/** Of all threads together, once: the largest would be all the server does at first otherwise. */
async function summarise(server, state) {
  try {
    const { summary } = await server.patterns({ thread: "all", from: 0, count: 1, ...state.filters() }, "summary");
    if (summary) drawFolded(summary);
  } catch (error) {
    failed(error);
  }
}

function build(server, trace) {
  const [largest] = trace.threads;
  const state = new State({ ...trace.defaults, thread: largest.index });
  if (!trace.threads.some(({ index }) => index === state.get("thread"))) state.set({ thread: largest.index, at: "" });
  const tree = new Tree($("panel-tree"), server, state);
  const timeline = new Timeline($("panel-timeline"), server, state, tree, trace);
  const flame = new Flame($("panel-flame"), server, state, failed);
  const functions = new Functions($("panel-functions"), server, state, trace, failed);
  const patterns = new Patterns($("panel-patterns"), server, state, tree, trace, {
    failed,
    summarised: (summary, thread) => thread === "all" && drawFolded(summary),
  });
  const views = { tree, timeline, flame, functions, patterns };
  const details = new Details($("details"), server, state, tree, trace.start);
  const search = new Search($("search"), server, state, tree);
  const gaps = new Gaps(server, state, tree, failed);
  const recolour = () => timeline.recolour();
  drawHeader($("header"), trace, [themeButton(recolour), helpButton($("help"))], () => gaps.first());
  const showTabs = drawTabs($("tabs"), (view) => state.set({ view }));
  const showControls = drawControls($("controls"), $("opening"), trace, state, tree);
  const outdated = new Set(VIEWS);

  tree.addEventListener("hidden", ({ detail }) => notice("hidden", `That call is not in the tree: ${visible(detail)}. `, clearButton(state)));
  tree.addEventListener("failed", ({ detail }) => failed(detail));
  tree.addEventListener("selected", () => {
    settled("hidden");
    details.sync();
  });
  tree.addEventListener("opened", () => details.focus());
  tree.addEventListener("rows", () => {
    const nothing = tree.total === 0;
    const filtered = filtersSet(state) > 0;
    if (nothing) notice("empty", filtered ? "Nothing left: the filters leave out every call. " : "No calls here.", filtered ? clearButton(state) : null);
    else settled("empty");
    settled("failed");
    details.sync();
  });

  async function show() {
    const view = state.get("view");
    const left = document.activeElement?.closest("[role=tabpanel]");
    showTabs(view);
    // Where a key in one view led to another one, the keys that follow are meant for that.
    if (left?.hidden) views[view].focus();
    showControls();
    // The tree is behind the others' selection as well.
    if (outdated.delete("tree")) await tree.sync();
    if (view !== "tree" && outdated.delete(view)) await views[view].sync();
    await details.sync();
  }

  state.addEventListener("change", ({ detail: changed }) => {
    const any = (names) => names.some((name) => changed.has(name));
    if (any(["thread", "at", "open", "grouping", "hide", "min", "only"])) outdated.add("tree");
    if (any(Functions.concerns)) outdated.add("functions");
    if (any(Patterns.concerns)) outdated.add("patterns");
    if (any(Flame.concerns)) outdated.add("flame");
    if (any(Timeline.concerns)) outdated.add("timeline");
    if (any(["grouping", "hide", "min", "only"])) summarise(server, state);
    if (changed.has("code")) functions.choose();
    show();
  });

  bindKeys({
    ...Object.fromEntries(VIEWS.map((view, index) => [String(index + 1), () => {
      state.set({ view });
      views[view].focus();
    }])),
    "/": () => search.focus(),
    "?": () => $("help").showModal(),
    n: () => search.next("next"),
    N: () => search.next("previous"),
    g: () => gaps.next("next"),
    G: () => gaps.next("previous"),
    d: () => ($("details").contains(document.activeElement) ? views[state.get("view")].focus() : details.focus()),
  });
  $("skip").addEventListener("click", () => views[state.get("view")].focus());
  show().then(() => summarise(server, state));
  return () => {
    for (const view of VIEWS) outdated.add(view);
    tree.forget();
    show();
  };
}

function clearButton(state) {
  return button("Clear filters", () => {
    settled("hidden");
    clearFilters(state);
  }, { id: "notice-clear" });
}

async function start(server) {
  try {
    const trace = await server.trace();
    watchTrace(server, trace);
    if (trace.threads.length > 0) return build(server, trace);
    drawHeader($("header"), trace, [themeButton(() => {}), helpButton($("help"))]);
    const scope = (trace.scope ?? []).slice(0, 5).map((path) => cut(path, 200)).join(", ");
    fill($("main"), h("p", { class: "empty" }, trace.lost > 0 ? "No calls: what was recorded of them was lost." : "No calls were recorded.",
      trace.lost === 0 && scope !== "" && h("span", null, " Those of functions below ", bdi(scope, { class: "scope" }), " would have been.")));
    announce("No calls were recorded.");
    $("bar").hidden = true;
  } catch (error) {
    failed(error);
  }
  return null;
}

const server = reportOf(document) ?? new Server();
let refresh = null;
async function again() {
  if (refresh) refresh();
  else refresh = await start(server);
}
watch(server, again);
again();
