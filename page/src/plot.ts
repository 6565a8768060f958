/** What every kind of plot offers to the frame around it: the cursor, the words, the table. */

import type { Value } from "./data";

/** A place in the coordinates of the drawing (its viewBox). */
export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Box extends Point {
  readonly width: number;
  readonly height: number;
}

/** How the marks are shown: scaled, then moved. */
export interface View {
  readonly kx: number;
  readonly tx: number;
  readonly ky: number;
  readonly ty: number;
}

export const WHOLE: View = { kx: 1, tx: 0, ky: 1, ty: 0 };

export function seen(view: View, { x, y }: Point): Point {
  return { x: x * view.kx + view.tx, y: y * view.ky + view.ty };
}

export function unseen(view: View, { x, y }: Point): Point {
  return { x: (x - view.tx) / view.kx, y: (y - view.ty) / view.ky };
}

/** What the cursor looks like, in coordinates of the whole drawing, unzoomed. */
export type Mark =
  | { readonly shape: "point"; readonly at: Point; readonly trace?: readonly Point[] }
  | { readonly shape: "box"; readonly box: Box }
  | {
      readonly shape: "wedge";
      readonly centre: Point;
      readonly inner: number;
      readonly outer: number;
      /** In turns, clockwise from 12 o'clock. */
      readonly from: number;
      readonly to: number;
    };

/** What the cursor says: `names, place: value, value`. */
export interface Reading {
  readonly names: readonly string[];
  readonly place: string;
  readonly values: readonly string[];
}

export type Move = "left" | "right" | "up" | "down" | "first" | "last";

export type Row = readonly (Value | string)[];

/** The whole data of a plot, exact. */
export interface Table {
  readonly columns: readonly string[];
  rows(): Iterable<Row>;
}

/** A plot with spots where the cursor can be. */
export interface Plot<Spot> extends Table {
  /** Where the pointer counts, and what stays filled while zooming. */
  readonly frame: Box;
  readonly zoom: "x" | "xy" | null;
  /** The spot nearest to a place as it is seen; null if none is near. */
  nearest(at: Point, view: View): Spot | null;
  /** The spot a key leads to; the first one if there is no cursor yet; null without any. */
  moved(spot: Spot | null, move: Move): Spot | null;
  mark(spot: Spot): Mark;
  reading(spot: Spot): Reading;
}

/** Where a mark is: what to bring into view, and where a tip points to. */
export function middleOf(mark: Mark): Point {
  switch (mark.shape) {
    case "point":
      return mark.at;
    case "box":
      return { x: mark.box.x + mark.box.width / 2, y: mark.box.y + mark.box.height / 2 };
    case "wedge": {
      const radius = (mark.inner + mark.outer) / 2;
      return onCircle(mark.centre, radius, (mark.from + mark.to) / 2);
    }
  }
}

/** The place at a turn (clockwise from 12 o'clock) on a circle. */
export function onCircle(centre: Point, radius: number, turn: number): Point {
  const angle = turn * 2 * Math.PI;
  return { x: centre.x + radius * Math.sin(angle), y: centre.y - radius * Math.cos(angle) };
}

export function clamped(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
