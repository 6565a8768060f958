/** How the server's pages write names, amounts and times. */

import { grouped } from "../words";
import { html } from "../dom";

/** Control and direction characters, shown as escapes: a name must not change what is around it. */
export function shown(name: string): string {
  return name.replace(
    /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A name as an element of its own, whose direction of writing changes nothing else. */
export function named(name: string): HTMLElement {
  return html("bdi", {}, shown(name));
}

const UNITS = ["bytes", "kB", "MB", "GB", "TB", "PB"];

/** Such as `4.70 MB`. */
export function bytes(count: number): string {
  let [amount, unit] = [count, 0];
  while (amount >= 1000 && unit < UNITS.length - 1) [amount, unit] = [amount / 1000, unit + 1];
  const digits = unit === 0 ? 0 : amount < 10 ? 2 : amount < 100 ? 1 : 0;
  return `${grouped(Number(amount.toFixed(digits)))} ${UNITS[unit]}`;
}

/** Such as `2 min 5 s`. */
export function duration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${grouped(Math.floor(whole / 3600))} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** A time of RFC 3339 as local date and time. */
export function time(when: string): string {
  return new Date(when).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

export function counted(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;
}
