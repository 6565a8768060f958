/** The script of fanfold's pages. It adds to static plots: cursor, zoom, downloads, tables. */

import { ChaosPlot } from "./chaos";
import { offerCopy } from "./copy";
import { readData, type Figure } from "./data";
import { enhance } from "./figure";
import { keepReachable } from "./scrolling";
import { SnailPlot } from "./snail";
import { makeSortable } from "./sortable";
import { TracksPlot } from "./tracks";
import { XyPlot } from "./xy";

function enhanceFigure(about: string, id: string, data: Figure): void {
  switch (data.kind) {
    case "xy":
      return enhance(about, id, data, new XyPlot(data));
    case "tracks":
      return enhance(about, id, data, new TracksPlot(data));
    case "snail":
      return enhance(about, id, data, new SnailPlot(data));
    case "chaos":
      return enhance(about, id, data, new ChaosPlot(data));
  }
}

const page = readData();
if (page !== null) {
  for (const [id, data] of Object.entries(page.figures)) enhanceFigure(page.name, id, data);
  const press = document.getElementById("copy");
  if (press !== null && page.copy !== undefined) offerCopy(press, page.copy);
}
for (const table of document.querySelectorAll<HTMLTableElement>("table.sortable")) {
  makeSortable(table);
}
keepReachable(document.querySelectorAll<HTMLElement>("div.table:not([tabindex])"));
