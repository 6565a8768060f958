/** Zooming: the marks are transformed, and the axes get the ticks of what is seen. */

import { axisBottom, axisLeft, type Axis as Ticks } from "d3-axis";
import { select, type Selection } from "d3-selection";
import {
  zoom,
  zoomIdentity,
  type D3ZoomEvent,
  type ZoomBehavior,
  type ZoomTransform,
} from "d3-zoom";
import type { Axis } from "./data";
import { svg } from "./dom";
import { seen, WHOLE, type Box, type Point, type View } from "./plot";
import { scaleOf, type Scale } from "./scale";
import { short } from "./words";

/** Static marks are drawn to a tenth of a unit: with more than this, that would be seen. */
const MOST = 32;

/** Units of the drawing that a tick has for itself. */
const TICK_WIDTH = 70;
const TICK_HEIGHT = 40;

const STEP_MS = 150;

type Side = "x" | "y";
type TickValue = number | { valueOf(): number };

interface ZoomedAxis {
  readonly side: Side;
  readonly scale: Scale;
  readonly still: SVGGElement;
  /** Made when it is first needed. */
  moving: Selection<SVGGElement, unknown, null, undefined> | null;
}

export class Zoom {
  private readonly drawing: Selection<SVGSVGElement, unknown, null, undefined>;
  private readonly behavior: ZoomBehavior<SVGSVGElement, unknown>;
  private readonly marks: readonly SVGGElement[];
  private readonly axes: readonly ZoomedAxis[];
  private readonly frame: Box;
  private readonly sides: "x" | "xy";
  private current: View = WHOLE;

  /**
   * @param drawing - The plot.
   * @param frame - What stays filled.
   * @param sides - Which axes are zoomed.
   * @param axes - The data of these axes.
   * @param focused - Whether the figure has the focus: then the wheel zooms without a key.
   * @param changed - Called after each change of the view.
   */
  constructor(
    drawing: SVGSVGElement,
    frame: Box,
    sides: "x" | "xy",
    axes: Readonly<Partial<Record<Side, Axis>>>,
    focused: () => boolean,
    changed: () => void,
  ) {
    this.frame = frame;
    this.sides = sides;
    this.marks = [...drawing.querySelectorAll<SVGGElement>("g.marks")];
    this.axes = (["x", "y"] as const).flatMap((side) => {
      const axis = axes[side];
      const still = drawing.querySelector<SVGGElement>(`g.axis.${side}`);
      if (axis === undefined || still === null || !sides.includes(side)) return [];
      return [{ side, scale: scaleOf(axis), still, moving: null }];
    });
    const corners: [[number, number], [number, number]] = [
      [frame.x, frame.y],
      [frame.x + frame.width, frame.y + frame.height],
    ];
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.behavior = zoom<SVGSVGElement, unknown>()
      .extent(corners)
      .translateExtent(corners)
      .scaleExtent([1, MOST])
      .duration(calm ? 0 : STEP_MS)
      .filter((event: Event) => this.isZooming(event, focused()))
      .on("zoom", ({ transform }: D3ZoomEvent<SVGSVGElement, unknown>) => {
        this.show(transform);
        changed();
      });
    this.drawing = select(drawing);
    this.drawing.call(this.behavior);
    this.drawing.classed("zoomable", true);
  }

  get view(): View {
    return this.current;
  }

  get isZoomed(): boolean {
    return this.current.kx !== 1;
  }

  /** Zooms about a place of the whole drawing; about the middle of what is seen without one. */
  by(factor: number, about: Point | null): void {
    const place = about === null ? null : seen(this.current, about);
    this.behavior.scaleBy(this.drawing, factor, place === null ? undefined : [place.x, place.y]);
  }

  reset(): void {
    this.behavior.transform(this.drawing, zoomIdentity);
  }

  /** Moves a place of the whole drawing into what is seen, if it isn't there. */
  reveal(place: Point): void {
    if (!this.isZoomed) return;
    const { x, y } = seen(this.current, place);
    const { x: left, y: top, width, height } = this.frame;
    const inX = x >= left && x <= left + width;
    const inY = this.sides === "x" || (y >= top && y <= top + height);
    if (!(inX && inY)) this.behavior.translateTo(this.drawing, place.x, place.y);
  }

  /** A page must scroll over its figures: the wheel and one finger zoom and pan only when meant. */
  private isZooming(event: Event, isFocused: boolean): boolean {
    if (event instanceof WheelEvent) return event.ctrlKey || event.metaKey || isFocused;
    if ("touches" in event) {
      return this.isZoomed || (event.touches as TouchList).length > 1;
    }
    if (event.type === "dblclick") return true;
    return event instanceof MouseEvent && event.button === 0 && !event.ctrlKey && this.isZoomed;
  }

  private show(transform: ZoomTransform): void {
    const { k, x, y } = transform;
    const inY = this.sides === "xy";
    this.current = { kx: k, tx: x, ky: inY ? k : 1, ty: inY ? y : 0 };
    const { kx, tx, ky, ty } = this.current;
    for (const marks of this.marks) {
      if (this.isZoomed) marks.setAttribute("transform", `matrix(${kx} 0 0 ${ky} ${tx} ${ty})`);
      else marks.removeAttribute("transform");
    }
    this.drawing.classed("zoomed", this.isZoomed);
    for (const axis of this.axes) this.showAxis(axis, transform);
  }

  /** The static axis, or one with the ticks of what is seen in its place. */
  private showAxis(axis: ZoomedAxis, transform: ZoomTransform): void {
    const { side, scale, still } = axis;
    if (!this.isZoomed) {
      axis.moving?.node()?.replaceWith(still);
      return;
    }
    axis.moving ??= movingAxis(still);
    const node = axis.moving.node();
    if (node !== null && still.parentNode !== null) still.replaceWith(node);
    const isX = side === "x";
    const part = isX ? transform.rescaleX(scale) : transform.rescaleY(scale);
    const room = isX ? this.frame.width / TICK_WIDTH : this.frame.height / TICK_HEIGHT;
    const ticks: Ticks<TickValue> = isX ? axisBottom(part) : axisLeft(part);
    axis.moving.call(ticks.offset(0).tickSizeOuter(0).ticks(room).tickFormat(labels(part, room)));
    // The style sheet's fonts count, as for the static axis.
    axis.moving.attr("font-family", null).attr("font-size", null);
  }
}

/** On a log scale, only as many ticks have a label as there is room for. */
function labels(scale: Scale, room: number): (value: TickValue) => string {
  const isLabelled = "base" in scale ? scale.tickFormat(room) : () => "all";
  return (value) => (isLabelled(value) === "" ? "" : short(+value));
}

/** An axis in the place of a static one, with its label. */
function movingAxis(still: SVGGElement): Selection<SVGGElement, unknown, null, undefined> {
  const group = svg("g", {
    class: still.getAttribute("class") ?? "axis",
    transform: still.getAttribute("transform") ?? "",
  });
  for (const label of still.querySelectorAll(".label")) group.append(label.cloneNode(true));
  return select(group);
}
