/** Records drawn one below the other, with their gaps. */

import type { TracksFigure } from "./data";
import {
  seen,
  type Box,
  type Mark,
  type Move,
  type Plot,
  type Point,
  type Reading,
  type Row,
  type View,
} from "./plot";
import { placeOn, scaleOf } from "./scale";
import { grouped } from "./words";

/** A gap farther from the pointer than this, in units of the drawing, isn't pointed at. */
const REACH = 6;

/** The whole record, rather than one of its gaps. */
const RECORD = -1;

interface Spot {
  readonly row: number;
  /** The index of a gap, or RECORD. */
  readonly gap: number;
}

export class TracksPlot implements Plot<Spot> {
  readonly frame: Box;
  readonly zoom: "x" | null;
  readonly columns: readonly string[];
  private readonly figure: TracksFigure;
  private readonly toX: (base: number) => number;

  constructor(figure: TracksFigure) {
    this.figure = figure;
    this.zoom = figure.zoom;
    this.toX = placeOn(figure.x, scaleOf(figure.x));
    const [left, right] = figure.x.range;
    const top = Math.min(...figure.rows.map((row) => row.y[0]));
    const bottom = Math.max(...figure.rows.map((row) => row.y[1]));
    this.frame = { x: left, y: top, width: right - left, height: bottom - top };
    this.columns = ["name", "length_bases", "start_base", "end_base", "gaps", "gap_bases"];
  }

  nearest(at: Point, view: View): Spot | null {
    const { rows } = this.figure;
    const away = rows.map(({ y: [top, bottom] }) => Math.abs((top + bottom) / 2 - at.y));
    const row = away.indexOf(Math.min(...away));
    let gap = RECORD;
    let distance = REACH;
    rows[row]?.gaps.forEach(([start, end], index) => {
      const left = seen(view, { x: this.toX(start), y: 0 }).x;
      const right = seen(view, { x: this.toX(end), y: 0 }).x;
      const gapAway = Math.max(left - at.x, at.x - right, 0);
      if (gapAway < distance) {
        gap = index;
        distance = gapAway;
      }
    });
    return row < 0 ? null : { row, gap };
  }

  moved(spot: Spot | null, move: Move): Spot | null {
    const { rows } = this.figure;
    if (spot === null) return rows.length > 0 ? { row: 0, gap: RECORD } : null;
    const { row, gap } = spot;
    const last = (rows[row]?.gaps.length ?? 0) - 1;
    switch (move) {
      case "left":
        return { row, gap: Math.max(gap - 1, RECORD) };
      case "right":
        return { row, gap: Math.min(gap + 1, last) };
      case "first":
        return { row, gap: RECORD };
      case "last":
        return { row, gap: last };
      case "up":
      case "down": {
        const other = move === "up" ? row - 1 : row + 1;
        if (rows[other] === undefined) return spot;
        return { row: other, gap: this.gapNear(other, rows[row]?.gaps[gap]?.[0]) };
      }
    }
  }

  mark({ row, gap }: Spot): Mark {
    const data = this.row(row);
    const [start, end] = data.gaps[gap] ?? [0, data.length];
    const [top, bottom] = data.y;
    const left = this.toX(start);
    return {
      shape: "box",
      box: { x: left, y: top, width: this.toX(end) - left, height: bottom - top },
    };
  }

  reading({ row, gap }: Spot): Reading {
    const { name, length, gaps } = this.row(row);
    const one = gaps[gap];
    const [count, bases] =
      one === undefined
        ? gaps.reduce(([n, sum], each) => [n + each[2], sum + each[3]], [0, 0])
        : [one[2], one[3]];
    const place =
      one === undefined
        ? `length ${grouped(length)} bases`
        : `bases ${grouped(one[0])} to ${grouped(one[1])}`;
    return {
      names: [name],
      place,
      values:
        count === 0
          ? ["no gaps"]
          : [`${grouped(count)} ${count === 1 ? "gap" : "gaps"}`, `${grouped(bases)} bases of N`],
    };
  }

  *rows(): Iterable<Row> {
    for (const { name, length, gaps } of this.figure.rows) {
      if (gaps.length === 0) yield [name, length, null, null, 0, 0];
      for (const gap of gaps) yield [name, length, ...gap];
    }
  }

  private row(row: number): TracksFigure["rows"][number] {
    const data = this.figure.rows[row];
    if (data === undefined) throw new RangeError(`no row ${row}`);
    return data;
  }

  /** The gap of a row that starts nearest to a base; the record without a base or gaps. */
  private gapNear(row: number, base: number | undefined): number {
    if (base === undefined) return RECORD;
    const away = this.row(row).gaps.map(([start]) => Math.abs(start - base));
    return away.indexOf(Math.min(...away));
  }
}
