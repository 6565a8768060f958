/** The cursor in the drawing. It isn't scaled with the marks, so it keeps its size. */

import { svg } from "./dom";
import { clamped, onCircle, seen, type Box, type Mark, type Point, type View } from "./plot";

/** A box is drawn at least this large, in units of the drawing. */
const LEAST_SIDE = 3;

const RADIUS = 4;

export class Cursor {
  private readonly group = svg("g", { class: "cursor" });
  private readonly frame: Box;

  /**
   * @param drawing - The plot.
   * @param frame - Outside of it nothing is drawn.
   */
  constructor(drawing: SVGSVGElement, frame: Box) {
    this.frame = frame;
    drawing.append(this.group);
  }

  hide(): void {
    this.group.replaceChildren();
  }

  show(mark: Mark, view: View): void {
    this.group.replaceChildren(...this.drawn(mark, view));
  }

  private drawn(mark: Mark, view: View): SVGElement[] {
    const { x: left, y: top, width, height } = this.frame;
    switch (mark.shape) {
      case "point": {
        const at = this.within(seen(view, mark.at));
        const trace = (mark.trace ?? []).map((point) => this.within(seen(view, point)));
        const path = trace.map(({ x, y }) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");
        return [
          ...(path ? [svg("path", { class: "trace", d: `M${path}` })] : []),
          svg("path", { class: "cross", d: `M${at.x} ${top}v${height}M${left} ${at.y}h${width}` }),
          svg("circle", { class: "spot", cx: at.x, cy: at.y, r: RADIUS }),
        ];
      }
      case "box": {
        const { x, y } = seen(view, mark.box);
        const [from, to] = widened(x, x + mark.box.width * view.kx, left, left + width);
        const [upper, lower] = widened(y, y + mark.box.height * view.ky, top, top + height);
        const size = { x: from, y: upper, width: to - from, height: lower - upper };
        return [svg("rect", { class: "spot", ...size })];
      }
      case "wedge": {
        const { centre, inner, outer, from, to } = mark;
        const corner = (radius: number, turn: number): string => {
          const { x, y } = onCircle(centre, radius, turn);
          return `${x.toFixed(2)} ${y.toFixed(2)}`;
        };
        const path =
          `M${corner(inner, from)}L${corner(outer, from)}` +
          `A${outer} ${outer} 0 0 1 ${corner(outer, to)}L${corner(inner, to)}` +
          `A${inner} ${inner} 0 0 0 ${corner(inner, from)}z`;
        return [svg("path", { class: "spot", d: path })];
      }
    }
  }

  private within({ x, y }: Point): Point {
    const { x: left, y: top, width, height } = this.frame;
    return { x: clamped(x, left, left + width), y: clamped(y, top, top + height) };
  }
}

/** An interval cut to the frame, but of a length that can be seen. */
function widened(from: number, to: number, least: number, most: number): [number, number] {
  const spare = Math.max(LEAST_SIDE - (to - from), 0) / 2;
  return [clamped(from - spare, least, most), clamped(to + spare, least, most)];
}
