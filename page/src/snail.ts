/** The snail: the records around a circle, longest first, by their share of the summed length. */

import type { SnailFigure } from "./data";
import type { Box, Mark, Move, Plot, Point, Reading, Row } from "./plot";
import { clamped } from "./plot";
import { measured, quantityOfColumn } from "./words";

/** Up and down move by this many rows. */
const STRIDE = 10;

/** The pointer may be this much outside of the circle, as a share of its radius. */
const MARGIN = 1.05;

export class SnailPlot implements Plot<number> {
  readonly frame: Box;
  readonly zoom = null;
  readonly columns: readonly string[];
  private readonly figure: SnailFigure;

  constructor(figure: SnailFigure) {
    this.figure = figure;
    this.columns = figure.columns;
    const radius = figure.outer * MARGIN;
    const [x, y] = figure.centre;
    this.frame = { x: x - radius, y: y - radius, width: 2 * radius, height: 2 * radius };
  }

  nearest(at: Point): number | null {
    const { centre, outer, rows } = this.figure;
    const x = at.x - centre[0];
    const y = at.y - centre[1];
    if (Math.hypot(x, y) > outer * MARGIN || rows.length === 0) return null;
    const turn = (Math.atan2(x, -y) / (2 * Math.PI) + 1) % 1;
    return Math.min(Math.floor(turn * rows.length), rows.length - 1);
  }

  moved(spot: number | null, move: Move): number | null {
    const last = this.figure.rows.length - 1;
    if (last < 0) return null;
    if (spot === null) return move === "left" || move === "last" ? last : 0;
    const to = {
      left: spot - 1,
      right: spot + 1,
      up: spot - STRIDE,
      down: spot + STRIDE,
      first: 0,
      last,
    };
    return clamped(to[move], 0, last);
  }

  mark(spot: number): Mark {
    const { centre, inner, outer, rows } = this.figure;
    return {
      shape: "wedge",
      centre: { x: centre[0], y: centre[1] },
      inner,
      outer,
      from: spot / rows.length,
      to: (spot + 1) / rows.length,
    };
  }

  reading(spot: number): Reading {
    const [place = "", ...values] = this.columns.map((column, i) =>
      measured(quantityOfColumn(column), this.figure.rows[spot]?.[i] ?? null),
    );
    return { names: [], place, values };
  }

  rows(): Iterable<Row> {
    return this.figure.rows;
  }
}
