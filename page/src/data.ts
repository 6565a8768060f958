/** The page's data, as `fanfold.report.page` writes it into `<script id="data">`. */

/** A number, or null where there is none (such as an NG that is never reached). */
export type Value = number | null;

export interface Axis {
  /** What is shown: a noun, and its unit in brackets. */
  readonly label: string;
  /** The name of its column in a TSV file. */
  readonly column: string;
  readonly scale: "linear" | "log";
  readonly domain: readonly [number, number];
  /** The ends of the domain in the coordinates of the drawing. */
  readonly range: readonly [number, number];
}

export interface PointSeries {
  readonly name: string;
  /** A step curve has the value y[i] from x[i-1] up to x[i]; a bar reaches from x[i] to x_end[i]. */
  readonly shape: "line" | "step" | "dots" | "bars";
  readonly x: readonly Value[];
  readonly y: readonly Value[];
  readonly names?: readonly string[];
  readonly x_end?: readonly number[];
  readonly extra?: Readonly<Record<string, readonly (Value | string)[]>>;
}

export interface CellSeries {
  readonly name: string;
  readonly shape: "cells";
  readonly x_edges: readonly number[];
  readonly y_edges: readonly number[];
  /** Place among the x edges, place among the y edges, how many points, the sum of their x. */
  readonly cells: readonly (readonly [number, number, number, number])[];
}

export interface XyFigure {
  readonly kind: "xy";
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly zoom: "x" | "xy" | null;
  readonly series: readonly (PointSeries | CellSeries)[];
}

/** Gaps that are drawn as one: start and end (0-based, half open), how many, their bases. */
export type GapGroup = readonly [number, number, number, number];

export interface TracksFigure {
  readonly kind: "tracks";
  readonly title: string;
  readonly x: Axis;
  readonly zoom: "x" | null;
  readonly rows: readonly {
    readonly name: string;
    readonly length: number;
    /** Top and bottom in the coordinates of the drawing. */
    readonly y: readonly [number, number];
    readonly gaps: readonly GapGroup[];
  }[];
}

export interface SnailFigure {
  readonly kind: "snail";
  readonly title: string;
  readonly centre: readonly [number, number];
  readonly inner: number;
  readonly outer: number;
  readonly columns: readonly string[];
  /** Row i covers the turn from i/n to (i+1)/n, clockwise from 12 o'clock. */
  readonly rows: readonly (readonly Value[])[];
}

export interface ChaosFigure {
  readonly kind: "chaos";
  readonly title: string;
  readonly k: number;
  readonly canonical: boolean;
  /** Left, top and side in the coordinates of the drawing. */
  readonly square: readonly [number, number, number];
  /** The count of each k-mer by code. */
  readonly counts?: readonly number[];
  /** Instead of counts: the level of each k-mer by code, a byte each, in base64. */
  readonly levels?: string;
  /** Level i means bounds[i] <= count < bounds[i+1]. */
  readonly bounds?: readonly number[];
}

export type Figure = XyFigure | TracksFigure | SnailFigure | ChaosFigure;

export interface PageData {
  /** What the page is about; files that are saved from it are called by it. */
  readonly name: string;
  /** The page's numbers as text. */
  readonly copy?: string;
  readonly figures: Readonly<Record<string, Figure>>;
}

export function readData(): PageData | null {
  const text = document.getElementById("data")?.textContent;
  return text ? (JSON.parse(text) as PageData) : null;
}
