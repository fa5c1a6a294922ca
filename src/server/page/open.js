// How a tree is drawn, as the text that requests take: states of nodes, with commas between.

// The server takes 16 KiB; a little is left for what it adds itself.
const LONGEST = 16_000;

/** The node that a state is of. */
export function nodeOf(state) {
  return state.replace(/(@\d+)?[-+*]?$/, "");
}

/** The first row of a node; of a gap, that behind it. */
export function rowOf(node) {
  return Number(/^[crg](\d+)/.exec(node)?.[1] ?? -1);
}

/** Which of its thread's gaps it is; `null`: none. */
export function gapOf(node) {
  const match = /^g\d+\.(\d+)$/.exec(node);
  return match ? Number(match[1]) : null;
}

/** How many calls a repeat is; `null`: the node is a call. */
export function callsOf(node) {
  const match = /^r\d+\.(\d+)$/.exec(node);
  return match ? Number(match[1]) : null;
}

function join(states) {
  let text = states.join(",");
  // What was said first gives way, but for the word that says how everything is.
  const keep = WORDS.has(states[0]) ? 1 : 0;
  while (text.length > LONGEST && states.length > keep + 1) {
    states.splice(keep, 1);
    text = states.join(",");
  }
  return text;
}

const WORDS = new Set(["all", "none"]);

/** What is said of a node: `+`, `-`, `*`, `@2`, `@2*`; empty: nothing. */
export function stateOf(open, node) {
  return open.split(",").findLast((state) => nodeOf(state) === node)?.slice(node.length) ?? "";
}

/**
 * Says how a node stands from now on.
 * @param {string} open
 * @param {string} node
 * @param {string} mark `+`, `-`, `*` or `@2`
 */
export function withState(open, node, mark) {
  const states = open.split(",").filter((state) => state !== "" && nodeOf(state) !== node);
  states.push(node + mark);
  return join(states);
}

/**
 * Opens or closes a node and all that is below it.
 * @param {number} end the first row that is no longer below it
 * @param {string} mark `*` or `-`
 */
export function withAllBelow(open, node, end, mark) {
  const first = rowOf(node);
  const last = Math.min(end, first + (callsOf(node) ?? Infinity));
  const states = open.split(",").filter((state) => {
    if (state === "" || WORDS.has(state)) return state !== "";
    const row = rowOf(state);
    if (row < first || row >= last) return true;
    // What stands around the node may begin with the same row.
    const calls = callsOf(nodeOf(state));
    const around = row === first && (nodeOf(state) !== node) && calls !== null && calls >= (callsOf(node) ?? 1);
    return around;
  });
  states.push(node + mark);
  return join(states);
}

/** Opens or closes repeats, with those that are in them. @param {string[]} nodes those that stand in no other */
export function withPatterns(open, nodes, mark) {
  // What is said of a call in a repeat, by `auto` for one, would say otherwise of what is below it.
  const stretches = nodes.map((node) => [rowOf(node), rowOf(node) + callsOf(node)]).sort(([a], [b]) => a - b);
  const isInside = (row) => {
    const next = stretches.findIndex(([first]) => first > row);
    const stretch = stretches.at(next < 0 ? -1 : next - 1);
    return stretch !== undefined && next !== 0 && row >= stretch[0] && row < stretch[1];
  };
  const states = open.split(",").filter((state) => WORDS.has(state)
    || (state !== "" && callsOf(nodeOf(state)) === null && !isInside(rowOf(state))));
  states.push(...nodes.map((node) => node + mark));
  return join(states);
}
