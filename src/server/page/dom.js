// Building elements. Every string of a trace is foreign: it only ever becomes text, never markup.

/**
 * An element. Attributes that are `false`, `null` or `undefined` are left out; `on…` are listeners.
 * @param {string} tag
 * @param {Record<string, unknown> | null} [attributes]
 * @param {...(Node | string | number | null | undefined | false)} children
 * @returns {HTMLElement}
 */
export function h(tag, attributes, ...children) {
  return build(document.createElement(tag), attributes, children);
}

/** An element of SVG. */
export function svg(tag, attributes, ...children) {
  return build(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function build(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

/** A button that does `action`; `label` is said where the text is only a sign. */
export function button(text, action, attributes) {
  return h("button", { type: "button", onclick: action, ...attributes }, text);
}

/** Replaces what is in an element. */
export function fill(element, ...children) {
  element.replaceChildren(...children.filter((child) => child !== null && child !== undefined && child !== false));
}

// Control characters, and those that turn the direction of what follows: without this a name could
// look like another one.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const UNSEEN_BUT_LINES = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

const NAMED = { "\t": "\\t", "\n": "\\n", "\r": "\\r" };

function shown(character) {
  const code = character.codePointAt(0);
  if (character in NAMED) return NAMED[character];
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
  return `\\u${code.toString(16).padStart(4, "0")}`;
}

/** A foreign text with characters that do not show made visible; `lines`: with line ends as they are. */
export function visible(text, lines = false) {
  return String(text).replace(lines ? UNSEEN_BUT_LINES : UNSEEN, shown);
}

/** The beginning of a text: what a line shows needs no ten thousand characters in the document. */
export function cut(text, most = 300) {
  if (text.length <= most) return text;
  const end = /[\ud800-\udbff]/.test(text[most - 1]) ? most - 1 : most;
  return `${text.slice(0, end)}…`;
}

/**
 * A foreign text, isolated from the direction of what stands around it.
 * @param {string} text
 * @param {((text: string) => [number, number][]) | null} [marks] where search hits are in it
 */
export function bdi(text, attributes, marks) {
  const clean = visible(text);
  const found = marks ? marks(clean) : [];
  if (found.length === 0) return h("bdi", attributes, clean);
  const element = h("bdi", attributes);
  let at = 0;
  for (const [from, to] of found) {
    element.append(clean.slice(at, from), h("mark", null, clean.slice(from, to)));
    at = to;
  }
  element.append(clean.slice(at));
  return element;
}

/** Tells a screen reader. */
export function announce(text) {
  const live = document.getElementById("live");
  if (live) live.textContent = text;
}

/** Runs `action` once, `ms` after the last call. */
export function debounce(action, ms) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, ms);
  };
}
