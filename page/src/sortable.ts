/** Tables that are sorted by the buttons in their headers. */

import { html } from "./dom";

/** What a row is sorted by: a number, a text, or null for an empty cell, which comes last. */
type Key = number | string | null;

export function makeSortable(table: HTMLTableElement): void {
  const headers = [...(table.tHead?.rows[0]?.cells ?? [])];
  headers.forEach((header, column) => {
    let press = header.querySelector("button");
    if (press === null) {
      press = html("button", { type: "button" }, ...header.childNodes);
      header.append(press);
    }
    press.addEventListener("click", () => {
      const keys = keysOf(table, column);
      const isNumeric = [...keys.values()].some((key) => typeof key === "number");
      // The first press shows the largest numbers, but the first names.
      const before = header.getAttribute("aria-sort");
      const isDescending = before === null ? isNumeric : before === "ascending";
      for (const other of headers) other.removeAttribute("aria-sort");
      header.setAttribute("aria-sort", isDescending ? "descending" : "ascending");
      sortRows(keys, isDescending);
    });
  });
}

function keysOf(table: HTMLTableElement, column: number): Map<HTMLTableRowElement, Key> {
  const rows = [...table.tBodies].flatMap((body) => [...body.rows]);
  const texts = rows.map((row) => {
    const cell = row.cells[column];
    return cell?.dataset["value"] ?? cell?.textContent?.trim() ?? "";
  });
  const isNumeric = texts.every((text) => Number.isFinite(Number(text)));
  return new Map(
    rows.map((row, i) => {
      const text = texts[i] ?? "";
      return [row, text === "" ? null : isNumeric ? Number(text) : text];
    }),
  );
}

function sortRows(keys: ReadonlyMap<HTMLTableRowElement, Key>, isDescending: boolean): void {
  const sorted = [...keys].sort(([, one], [, other]) => {
    if (one === null || other === null) return Number(one === null) - Number(other === null);
    const order = one < other ? -1 : Number(one > other);
    return isDescending ? -order : order;
  });
  for (const [row] of sorted) row.parentNode?.append(row);
}
