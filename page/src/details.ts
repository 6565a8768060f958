/** The data of a figure as a table, built when it is opened. */

import { html } from "./dom";
import type { Row, Table } from "./plot";
import { grouped } from "./words";

const MOST_ROWS = 2000;

export function dataTable(title: string, data: Table): HTMLDetailsElement {
  const details = html("details", { class: "data" }, html("summary", {}, "Table"));
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(table(title, data));
  });
  return details;
}

function table(title: string, data: Table): HTMLElement {
  const shown: Row[] = [];
  let all = 0;
  for (const row of data.rows()) {
    if (all++ < MOST_ROWS) shown.push(row);
  }
  const caption =
    all > MOST_ROWS
      ? `${title}: the first ${grouped(MOST_ROWS)} of ${grouped(all)} rows; the TSV file has all`
      : title;
  return html(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": `${title}: table` },
    html(
      "table",
      {},
      html("caption", {}, caption),
      html(
        "thead",
        {},
        html("tr", {}, ...data.columns.map((name) => html("th", { scope: "col" }, name))),
      ),
      html("tbody", {}, ...shown.map((row) => html("tr", {}, ...row.map(cell)))),
    ),
  );
}

function cell(value: Row[number]): HTMLTableCellElement {
  if (typeof value === "number") return html("td", { class: "number" }, grouped(value));
  return html("td", {}, html("bdi", {}, value ?? ""));
}
