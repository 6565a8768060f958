/** Plots with two axes: curves, steps, dots, bars and cells. */

import type { CellSeries, PointSeries, XyFigure } from "./data";
import {
  clamped,
  seen,
  unseen,
  type Box,
  type Mark,
  type Move,
  type Plot,
  type Point,
  type Reading,
  type Row,
  type View,
} from "./plot";
import { lowerBound, placeOn, scaleOf } from "./scale";
import { between, measured, quantityOfColumn, quantityOfLabel } from "./words";

/** A dot farther from the pointer than this, in units of the drawing, isn't pointed at. */
const REACH = 40;

/** A cell under the pointer is as near as a dot at this distance. */
const CELL_DISTANCE = 10;

/** With more series than this, colours repeat: the one at the cursor is drawn again on top. */
const TOLD_APART = 8;

/** A series in the order of the drawing, left to right. Places are those of the whole drawing. */
interface Placed {
  readonly data: PointSeries | CellSeries;
  /** The index in the data of each item. */
  readonly index: readonly number[];
  readonly x: Float64Array;
  readonly y: Float64Array;
  /** The boxes of bars and cells. */
  readonly boxes: readonly Box[];
  /** Cells by place: the item at x cell * y cells + y cell. */
  readonly grid: ReadonlyMap<number, number>;
}

interface Spot {
  readonly series: number;
  readonly item: number;
}

interface Found {
  readonly item: number;
  readonly distance: number;
}

export class XyPlot implements Plot<Spot> {
  readonly frame: Box;
  readonly zoom: "x" | "xy" | null;
  readonly columns: readonly string[];
  private readonly figure: XyFigure;
  private readonly series: readonly Placed[];
  private readonly extras: readonly string[];
  private readonly has: { names: boolean; xEnd: boolean; cells: boolean };

  constructor(figure: XyFigure) {
    this.figure = figure;
    this.zoom = figure.zoom;
    const [left, right] = figure.x.range;
    const [bottom, top] = figure.y.range;
    this.frame = { x: left, y: top, width: right - left, height: bottom - top };
    this.series = figure.series.map((series) =>
      series.shape === "cells" ? this.placedCells(series) : this.placedPoints(series),
    );
    const points = figure.series.filter((series) => series.shape !== "cells") as PointSeries[];
    const cells = points.length < figure.series.length;
    this.has = {
      names: points.some((series) => series.names !== undefined),
      xEnd: cells || points.some((series) => series.x_end !== undefined),
      cells,
    };
    this.extras = [...new Set(points.flatMap((series) => Object.keys(series.extra ?? {})))];
    const { x, y } = figure;
    this.columns = [
      "series",
      ...(this.has.names ? ["name"] : []),
      x.column,
      ...(this.has.xEnd ? [`${x.column}_end`] : []),
      y.column,
      ...(this.has.cells ? [`${y.column}_end`, "count", `sum_${x.column}`] : []),
      ...this.extras,
    ];
  }

  nearest(at: Point, view: View): Spot | null {
    let best: Spot | null = null;
    let distance = Infinity;
    this.series.forEach((placed, series) => {
      const found = this.nearestOf(placed, at, view);
      if (found !== null && found.distance < distance) {
        best = { series, item: found.item };
        distance = found.distance;
      }
    });
    return best;
  }

  moved(spot: Spot | null, move: Move): Spot | null {
    if (spot === null) {
      const series = this.series.findIndex(({ index }) => index.length > 0);
      const items = this.series[series]?.index.length ?? 0;
      if (items === 0) return null;
      return { series, item: move === "left" || move === "last" ? items - 1 : 0 };
    }
    const { series, item } = spot;
    const placed = this.placed(spot);
    const last = placed.index.length - 1;
    switch (move) {
      case "left":
        return { series, item: Math.max(item - 1, 0) };
      case "right":
        return { series, item: Math.min(item + 1, last) };
      case "first":
        return { series, item: 0 };
      case "last":
        return { series, item: last };
      case "up":
      case "down": {
        const by = move === "up" ? -1 : 1;
        let other = series + by;
        while (this.series[other]?.index.length === 0) other += by;
        const target = this.series[other];
        if (target === undefined) return spot;
        return { series: other, item: nearestInX(target.x, placed.x[item] ?? 0) };
      }
    }
  }

  mark(spot: Spot): Mark {
    const placed = this.placed(spot);
    const box = placed.boxes[spot.item];
    if (box !== undefined) return { shape: "box", box };
    const at = { x: placed.x[spot.item] ?? 0, y: placed.y[spot.item] ?? 0 };
    const { shape } = placed.data;
    if (this.series.length <= TOLD_APART || shape === "dots") return { shape: "point", at };
    return { shape: "point", at, trace: this.trace(placed) };
  }

  reading(spot: Spot): Reading {
    const placed = this.placed(spot);
    const index = placed.index[spot.item] ?? 0;
    const { data } = placed;
    const x = quantityOfLabel(this.figure.x.label);
    const y = quantityOfLabel(this.figure.y.label);
    if (data.shape === "cells") {
      const [i, j, count, sum] = data.cells[index] ?? [0, 0, 0, 0];
      const inX = between(x, data.x_edges[i] ?? 0, data.x_edges[i + 1] ?? 0);
      const inY = between(y, data.y_edges[j] ?? 0, data.y_edges[j + 1] ?? 0);
      return {
        names: [data.name],
        place: `${inX}, ${inY}`,
        values: [
          measured({ noun: "count", unit: "" }, count),
          measured({ noun: `summed ${x.noun}`, unit: x.unit }, sum),
        ],
      };
    }
    const name = data.names?.[index];
    const from = data.x[index] ?? 0;
    const to = data.x_end?.[index];
    const extras = Object.entries(data.extra ?? {}).map(([column, values]) =>
      measured(quantityOfColumn(column), values[index] ?? null),
    );
    return {
      names: name === undefined ? [data.name] : [data.name, name],
      place: to === undefined ? measured(x, from) : between(x, from, to),
      values: [measured(y, data.y[index] ?? null), ...extras],
    };
  }

  *rows(): Iterable<Row> {
    const { names, xEnd, cells } = this.has;
    for (const data of this.figure.series) {
      if (data.shape === "cells") {
        for (const [i, j, count, sum] of data.cells) {
          yield [
            data.name,
            ...(names ? [null] : []),
            data.x_edges[i] ?? null,
            data.x_edges[i + 1] ?? null,
            data.y_edges[j] ?? null,
            data.y_edges[j + 1] ?? null,
            count,
            sum,
            ...this.extras.map(() => null),
          ];
        }
      } else {
        for (const [i, x] of data.x.entries()) {
          yield [
            data.name,
            ...(names ? [data.names?.[i] ?? null] : []),
            x,
            ...(xEnd ? [data.x_end?.[i] ?? null] : []),
            data.y[i] ?? null,
            ...(cells ? [null, null, null] : []),
            ...this.extras.map((column) => data.extra?.[column]?.[i] ?? null),
          ];
        }
      }
    }
  }

  private placed(spot: Spot): Placed {
    const placed = this.series[spot.series];
    if (placed === undefined) throw new RangeError(`no series ${spot.series}`);
    return placed;
  }

  private placedPoints(data: PointSeries): Placed {
    const { x: xAxis, y: yAxis } = this.figure;
    const toX = placeOn(xAxis, scaleOf(xAxis));
    const toY = placeOn(yAxis, scaleOf(yAxis));
    const places = data.x.map((x) => toX(x ?? 0));
    const drawn = (i: number): boolean =>
      (data.x[i] ?? null) !== null && (data.y[i] ?? null) !== null;
    const index = [...data.x.keys()].filter(drawn);
    index.sort((a, b) => (places[a] ?? 0) - (places[b] ?? 0) || a - b);
    const tops = index.map((i) => toY(data.y[i] ?? 0));
    const bottom = yAxis.range[0];
    const boxes =
      data.shape === "bars"
        ? index.map((i, item) => {
            const left = places[i] ?? 0;
            const right = toX(data.x_end?.[i] ?? data.x[i] ?? 0);
            const top = Math.min(tops[item] ?? bottom, bottom);
            return { x: left, y: top, width: right - left, height: bottom - top };
          })
        : [];
    const x = Float64Array.from(index, (i) => places[i] ?? 0);
    return { data, index, x, y: Float64Array.from(tops), boxes, grid: new Map() };
  }

  private placedCells(data: CellSeries): Placed {
    const { x: xAxis, y: yAxis } = this.figure;
    const xs = data.x_edges.map(placeOn(xAxis, scaleOf(xAxis)));
    const ys = data.y_edges.map(placeOn(yAxis, scaleOf(yAxis)));
    const index = [...data.cells.keys()];
    const at = (i: number): readonly [number, number] => {
      const [column = 0, row = 0] = data.cells[i] ?? [];
      return [column, row];
    };
    index.sort((a, b) => at(a)[0] - at(b)[0] || at(a)[1] - at(b)[1]);
    const boxes = index.map((i) => {
      const [column, row] = at(i);
      const [left = 0, right = 0] = xs.slice(column, column + 2);
      const [bottom = 0, top = 0] = ys.slice(row, row + 2);
      return { x: left, y: top, width: right - left, height: bottom - top };
    });
    const rows = data.y_edges.length;
    return {
      data,
      index,
      x: Float64Array.from(boxes, (box) => box.x + box.width / 2),
      y: Float64Array.from(boxes, (box) => box.y + box.height / 2),
      boxes,
      grid: new Map(index.map((i, item) => [at(i)[0] * rows + at(i)[1], item])),
    };
  }

  private nearestOf(placed: Placed, at: Point, view: View): Found | null {
    const { data, x, y, boxes } = placed;
    if (x.length === 0) return null;
    const whole = unseen(view, at);
    const above = (item: number): Found => {
      const there = seen(view, { x: x[item] ?? 0, y: y[item] ?? 0 });
      return { item, distance: Math.abs(there.y - at.y) };
    };
    switch (data.shape) {
      case "step":
        return above(Math.min(lowerBound(x, whole.x), x.length - 1));
      case "line":
        return above(nearestInX(x, whole.x));
      case "bars": {
        const item = Math.max(lowerBound(x, whole.x) - 1, 0);
        const box = boxes[item];
        const inside = box !== undefined && whole.x >= box.x && whole.x <= box.x + box.width;
        return inside ? above(item) : null;
      }
      case "dots":
        return nearestDot(x, y, at, view, this.frame);
      case "cells": {
        const { x: xAxis, y: yAxis } = this.figure;
        const column = lowerBound(data.x_edges, scaleOf(xAxis).invert(whole.x)) - 1;
        const row = lowerBound(data.y_edges, scaleOf(yAxis).invert(whole.y)) - 1;
        const item = placed.grid.get(column * data.y_edges.length + row);
        return item === undefined || row < 0 ? null : { item, distance: CELL_DISTANCE };
      }
    }
  }

  /** The curve of a series. */
  private trace({ data, x, y }: Placed): Point[] {
    const points: Point[] = [];
    let before = this.frame.x;
    for (const [item, right] of x.entries()) {
      const height = y[item] ?? 0;
      if (data.shape === "step") points.push({ x: before, y: height });
      points.push({ x: right, y: height });
      before = right;
    }
    return points;
  }
}

function nearestInX(ascending: Float64Array, x: number): number {
  const after = clamped(lowerBound(ascending, x), 0, ascending.length - 1);
  const before = Math.max(after - 1, 0);
  const nearer = x - (ascending[before] ?? 0) < (ascending[after] ?? 0) - x;
  return nearer ? before : after;
}

/** Looks left and right of the pointer until no dot can be nearer than the best one. */
function nearestDot(
  x: Float64Array,
  y: Float64Array,
  at: Point,
  view: View,
  frame: Box,
): Found | null {
  const start = lowerBound(x, unseen(view, at).x);
  let best = -1;
  let distance = REACH;
  for (const by of [-1, 1]) {
    for (let item = by < 0 ? start - 1 : start; item >= 0 && item < x.length; item += by) {
      const there = seen(view, { x: x[item] ?? 0, y: y[item] ?? 0 });
      if (Math.abs(there.x - at.x) > distance) break;
      const away = Math.hypot(there.x - at.x, there.y - at.y);
      if (away < distance && inside(frame, there)) {
        best = item;
        distance = away;
      }
    }
  }
  return best < 0 ? null : { item: best, distance };
}

function inside(frame: Box, { x, y }: Point): boolean {
  return (
    x >= frame.x - 1 &&
    x <= frame.x + frame.width + 1 &&
    y >= frame.y - 1 &&
    y <= frame.y + frame.height + 1
  );
}
