/** The chaos game picture: each k-mer a cell of a square. */

import type { ChaosFigure } from "./data";
import { codeAt, kmerOf, reverseComplement, type Cell } from "./kmers";
import { clamped, type Box, type Mark, type Move, type Plot, type Point } from "./plot";
import type { Reading, Row } from "./plot";
import { grouped } from "./words";

export class ChaosPlot implements Plot<Cell> {
  readonly frame: Box;
  readonly zoom = null;
  readonly columns: readonly string[];
  private readonly figure: ChaosFigure;
  private readonly levels: string;
  /** Cells in a row. */
  private readonly cells: number;

  constructor(figure: ChaosFigure) {
    this.figure = figure;
    this.levels = atob(figure.levels ?? "");
    this.cells = 2 ** figure.k;
    const [x, y, side] = figure.square;
    this.frame = { x, y, width: side, height: side };
    this.columns = figure.counts ? ["kmer", "count"] : ["kmer", "count_from", "count_to"];
  }

  nearest(at: Point): Cell | null {
    const column = Math.floor(((at.x - this.frame.x) / this.frame.width) * this.cells);
    const row = Math.floor(((at.y - this.frame.y) / this.frame.height) * this.cells);
    const inside = column >= 0 && row >= 0 && column < this.cells && row < this.cells;
    return inside ? { column, row } : null;
  }

  moved(cell: Cell | null, move: Move): Cell {
    const last = this.cells - 1;
    if (cell === null) return { column: move === "left" || move === "last" ? last : 0, row: 0 };
    const { column, row } = cell;
    switch (move) {
      case "left":
        return { column: clamped(column - 1, 0, last), row };
      case "right":
        return { column: clamped(column + 1, 0, last), row };
      case "up":
        return { column, row: clamped(row - 1, 0, last) };
      case "down":
        return { column, row: clamped(row + 1, 0, last) };
      case "first":
        return { column: 0, row };
      case "last":
        return { column: last, row };
    }
  }

  mark({ column, row }: Cell): Mark {
    const side = this.frame.width / this.cells;
    return {
      shape: "box",
      box: {
        x: this.frame.x + column * side,
        y: this.frame.y + row * side,
        width: side,
        height: side,
      },
    };
  }

  reading(cell: Cell): Reading {
    const { k, canonical } = this.figure;
    const code = codeAt(cell, k);
    const other = reverseComplement(code, k);
    const kmers = canonical && other !== code ? [code, other] : [code];
    const [from, to = from] = this.count(code);
    return {
      names: [],
      place: kmers.map((each) => kmerOf(each, k)).join(" or "),
      values: [
        from === to ? `count ${grouped(from)}` : `count from ${grouped(from)} to ${grouped(to)}`,
      ],
    };
  }

  *rows(): Iterable<Row> {
    const { k, canonical } = this.figure;
    for (let code = 0; code < 4 ** k; code++) {
      if (canonical && reverseComplement(code, k) < code) continue;
      yield [kmerOf(code, k), ...this.count(code)];
    }
  }

  /** The count of a k-mer, or the least and the greatest that it can be. */
  private count(code: number): readonly [number] | readonly [number, number] {
    const { k, canonical, counts, bounds = [] } = this.figure;
    const slot = canonical ? Math.min(code, reverseComplement(code, k)) : code;
    if (counts !== undefined) return [counts[slot] ?? 0];
    const level = this.levels.charCodeAt(slot);
    return [bounds[level] ?? 0, (bounds[level + 1] ?? 1) - 1];
  }
}
