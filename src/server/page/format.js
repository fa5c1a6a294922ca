// Numbers for people.

const UNITS = [
  [1, "ns"],
  [1e3, "µs"],
  [1e6, "ms"],
  [1e9, "s"],
  [60e9, "min"],
  [3600e9, "h"],
];

/** Nanoseconds with three significant digits, as the command line writes them: `8.90 µs`. */
export function time(ns) {
  const value = Math.round(ns);
  if (value < 1000) return `${value} ns`;
  for (let index = 1; index < UNITS.length; index += 1) {
    const [size, unit] = UNITS[index];
    const next = UNITS[index + 1]?.[0] ?? Infinity;
    for (const decimals of [2, 1, 0]) {
      // Whole units of the last digit: `toFixed` would make 1.86 of 1,865 ns, and the command line 1.87.
      const scale = 10 ** decimals;
      const digits = Math.round((value * scale) / size);
      const fits = digits * size < next * scale && (digits < 1000 || (next === Infinity && decimals === 0));
      if (fits) return `${(digits / scale).toFixed(decimals)} ${unit}`;
    }
  }
  return `${value} ns`;
}

/** What follows a file's name: what is written in C has no line. */
export const atLine = (line) => (line > 0 ? `:${line}` : "");

/** A point of time, so exact that steps of `step` ns differ. */
export function instant(ns, step) {
  if (Math.round(ns) === 0) return "0";
  const unit = UNITS.slice(0, 4).findLast(([size]) => size <= Math.max(Math.abs(ns), step)) ?? UNITS[0];
  const decimals = Math.max(0, Math.ceil(Math.log10(unit[0] / step) - 1e-9));
  return `${(ns / unit[0]).toFixed(Math.min(9, decimals))} ${unit[1]}`;
}

/** Points of time at even distances, about `wanted` of them: `[step, first]`. */
export function ticks(from, to, wanted) {
  const rough = Math.max(1, (to - from) / Math.max(1, wanted));
  const magnitude = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * magnitude).find((size) => size >= rough) ?? rough;
  return [step, Math.ceil(from / step) * step];
}

const THOUSANDS = new Intl.NumberFormat("en-US");

/** `1,234,567` */
export function count(number) {
  return THOUSANDS.format(number);
}

/** `1 call`, `2 calls` */
export function counted(number, singular, plural = `${singular}s`) {
  return `${count(number)} ${number === 1 ? singular : plural}`;
}

/** A pair of least and most: `6`, `2–5`. */
export function range([least, most]) {
  return least === most ? count(least) : `${count(least)}–${count(most)}`;
}

/** A part of a whole: `25 %`, `0.4 %`. What is not all of it is never called 100 %. */
export function percent(part) {
  const value = part * 100;
  if (value > 0 && value < 0.1) return "< 0.1 %";
  if (value >= 99.5 && value < 100) return value < 99.95 ? `${value.toFixed(1)} %` : "> 99.9 %";
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} %`;
}

const DURATION = /^\s*([0-9]*\.?[0-9]+)\s*(ns|us|µs|μs|ms|s|min|h)?\s*$/i;

/** Nanoseconds of what somebody typed, `1.5ms` or a bare number of milliseconds; `null`: no duration. */
export function parseTime(text) {
  if (text.trim() === "") return 0;
  const match = DURATION.exec(text);
  if (!match) return null;
  const unit = (match[2] ?? "ms").toLowerCase().replace(/^[uμ]s$/, "µs");
  const size = UNITS.find(([, name]) => name === unit)?.[0];
  const ns = Math.round(Number(match[1]) * (size ?? 0));
  return Number.isSafeInteger(ns) ? ns : null;
}

/** The moment a recording began, in this browser's time zone. */
export function moment(iso) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return "";
  return date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** A command as it would be typed. */
export function command(words) {
  return words.map((word) => (PLAIN.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(" ");
}
