/** How numbers and quantities are written. */

import type { Value } from "./data";

/** A number with commas between thousands; floating-point noise of tick values is rounded off. */
export function grouped(value: number): string {
  const [whole = "", decimals] = String(Number(value.toPrecision(15))).split(".");
  const separated = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return decimals === undefined ? separated : `${separated}.${decimals}`;
}

interface Quantity {
  readonly noun: string;
  readonly unit: string;
}

/** The noun and the unit of an axis label such as `length (bases, log)`. */
export function quantityOfLabel(label: string): Quantity {
  const [, noun = label, unit = ""] = /^(.*\S)\s+\(([^()]*)\)$/.exec(label) ?? [];
  return { noun, unit: unit.replace(/(^|, )log$/, "") };
}

const UNITS: Readonly<Record<string, string>> = { percent: "%", bases: "bases" };
const INITIALS: ReadonlySet<string> = new Set(["gc", "at", "n"]);

/** The noun and the unit of a column such as `gc_percent`. */
export function quantityOfColumn(column: string): Quantity {
  const words = column.split("_");
  const unit = words.length > 1 ? UNITS[words[words.length - 1] ?? ""] : undefined;
  if (unit !== undefined) words.pop();
  const noun = words.map((word) => (INITIALS.has(word) ? word.toUpperCase() : word)).join(" ");
  return { noun, unit: unit ?? "" };
}

/** Such as `length 45,930 bases`. */
export function measured({ noun, unit }: Quantity, value: Value | string): string {
  if (value === null) return `${noun} none`;
  const shown = typeof value === "number" ? grouped(value) : value;
  return unit ? `${noun} ${shown} ${unit}` : `${noun} ${shown}`;
}

/** A half-open interval, such as `GC from 40 to 41 %`; of counts and bases, the last is said. */
export function between(quantity: Quantity, from: number, to: number): string {
  const isCounted =
    !quantity.unit.startsWith("%") && Number.isInteger(from) && Number.isInteger(to);
  const last = isCounted ? to - 1 : to;
  if (last === from) return measured(quantity, from);
  const { noun, unit } = quantity;
  return `${noun} from ${grouped(from)} to ${grouped(last)}${unit && ` ${unit}`}`;
}

const PREFIXES = [
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
] as const;

/** A tick's value as the static axes write it: 5000 is 5k, 1200000 is 1.2M. */
export function short(value: number): string {
  const [size, letter] = PREFIXES.find(([size]) => value >= size) ?? [1, ""];
  return `${grouped(value / size)}${letter}`;
}
