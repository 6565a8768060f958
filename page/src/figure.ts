/** The frame around a plot: toolbar, pointer, keyboard, tip, table. */

import { pointer } from "d3-selection";
import { Cursor } from "./cursor";
import type { Axis, Figure } from "./data";
import { dataTable } from "./details";
import { button, html } from "./dom";
import { middleOf, seen, WHOLE, type Move, type Plot, type Point, type View } from "./plot";
import { fileName, png, saveBlob, standaloneSvg, tsv } from "./save";
import { announce, Tip } from "./tip";
import { Zoom } from "./zoom";

const ZOOM_STEP = 2;

const MOVES: Readonly<Record<string, Move>> = {
  ArrowLeft: "left",
  ArrowRight: "right",
  ArrowUp: "up",
  ArrowDown: "down",
  Home: "first",
  End: "last",
};

/** What there is of a figure before it is enhanced. */
interface Parts {
  readonly figure: HTMLElement;
  readonly drawing: SVGSVGElement;
  readonly title: string;
  readonly finding: string;
}

function partsOf(id: string, data: Figure): Parts | null {
  const figure = document.getElementById(id);
  const drawing = figure?.querySelector("svg");
  if (!figure || !drawing) return null;
  const finding = figure.querySelector(".finding")?.textContent?.trim() ?? "";
  return { figure, drawing, title: data.title, finding };
}

/** Adds to a static figure of the page what a script can. */
export function enhance<Spot>(about: string, id: string, data: Figure, plot: Plot<Spot>): void {
  const parts = partsOf(id, data);
  if (parts === null) return;
  new EnhancedFigure(about, id, parts, plot, axesOf(data));
}

function axesOf(data: Figure): { x?: Axis; y?: Axis } {
  switch (data.kind) {
    case "xy":
      return { x: data.x, y: data.y };
    case "tracks":
      return { x: data.x };
    default:
      return {};
  }
}

class EnhancedFigure<Spot> {
  private readonly about: string;
  private readonly id: string;
  private readonly parts: Parts;
  private readonly plot: Plot<Spot>;
  private readonly stage: HTMLElement;
  private readonly live = html("p", { class: "aside", role: "status", "aria-live": "polite" });
  private readonly tip = new Tip();
  private readonly cursor: Cursor;
  private readonly zoom: Zoom | null;
  private spot: Spot | null = null;

  constructor(
    about: string,
    id: string,
    parts: Parts,
    plot: Plot<Spot>,
    axes: { x?: Axis; y?: Axis },
  ) {
    const { drawing, title } = parts;
    this.about = about;
    this.id = id;
    this.parts = parts;
    this.plot = plot;
    const keys = html("p", { class: "aside", id: `${id}-keys` }, keysInWords(plot.zoom !== null));
    this.stage = html("div", {
      class: "stage",
      tabindex: 0,
      role: "application",
      "aria-roledescription": "plot with a cursor",
      "aria-label": title,
      "aria-describedby": `${id}-keys`,
    });
    drawing.replaceWith(this.stage);
    this.stage.append(drawing, this.tip.box);
    this.stage.before(this.toolbar());
    this.stage.after(keys, this.live, dataTable(title, plot));
    this.cursor = new Cursor(drawing, plot.frame);
    this.zoom =
      plot.zoom === null
        ? null
        : new Zoom(
            drawing,
            plot.frame,
            plot.zoom,
            axes,
            () => document.activeElement === this.stage,
            () => this.show(),
          );
    this.listen();
  }

  private get view(): View {
    return this.zoom?.view ?? WHOLE;
  }

  private listen(): void {
    const { drawing } = this.parts;
    const point = (event: PointerEvent): void => this.pointAt(event);
    drawing.addEventListener("pointermove", point);
    drawing.addEventListener("pointerdown", point);
    const leave = (): void => {
      if (document.activeElement !== this.stage) this.set(null);
    };
    // A finger that is lifted after a tap leaves too, but what it showed stays.
    drawing.addEventListener("pointerleave", ({ pointerType }) => {
      if (pointerType !== "touch") leave();
    });
    drawing.addEventListener("pointercancel", leave);
    this.stage.addEventListener("blur", () => this.set(null));
    this.stage.addEventListener("keydown", (event) => {
      if (!event.ctrlKey && !event.metaKey && !event.altKey && this.press(event.key)) {
        event.preventDefault();
      }
    });
  }

  private pointAt(event: PointerEvent): void {
    const [x, y] = pointer(event, this.parts.drawing);
    const { frame } = this.plot;
    const isInside =
      x >= frame.x && x <= frame.x + frame.width && y >= frame.y && y <= frame.y + frame.height;
    this.set(isInside ? this.plot.nearest({ x, y }, this.view) : null);
  }

  /** Does what a key means here; false if it means nothing. */
  private press(key: string): boolean {
    const move = MOVES[key];
    if (move !== undefined) {
      const spot = this.plot.moved(this.spot, move);
      if (spot !== null) this.zoom?.reveal(middleOf(this.plot.mark(spot)));
      this.set(spot);
      if (spot === null) this.live.textContent = "No data.";
      else announce(this.live, this.plot.reading(spot));
      return true;
    }
    if (key === "Escape") {
      this.zoom?.reset();
      this.set(null);
      this.live.textContent = "";
      return true;
    }
    if (this.zoom === null || !["+", "=", "-", "−"].includes(key)) return false;
    this.zoomBy(key === "+" || key === "=" ? ZOOM_STEP : 1 / ZOOM_STEP);
    return true;
  }

  private zoomBy(factor: number): void {
    const about = this.spot === null ? null : middleOf(this.plot.mark(this.spot));
    this.zoom?.by(factor, about);
  }

  private set(spot: Spot | null): void {
    this.spot = spot;
    this.show();
  }

  private show(): void {
    if (this.spot === null) {
      this.cursor.hide();
      this.tip.hide();
      return;
    }
    const mark = this.plot.mark(this.spot);
    this.cursor.show(mark, this.view);
    const { at, width } = this.onStage(seen(this.view, middleOf(mark)));
    this.tip.show(this.plot.reading(this.spot), at, width);
  }

  /** A place of the drawing in CSS pixels from the corner of the stage, and the stage's width. */
  private onStage(place: Point): { at: Point; width: number } {
    const { drawing } = this.parts;
    const stage = this.stage.getBoundingClientRect();
    const matrix = drawing.getScreenCTM();
    if (matrix === null) return { at: place, width: stage.width };
    const { x, y } = new DOMPoint(place.x, place.y).matrixTransform(matrix);
    const at = { x: Math.min(Math.max(x - stage.x, 0), stage.width), y: y - stage.y };
    return { at, width: stage.width };
  }

  private toolbar(): HTMLElement {
    const { title } = this.parts;
    const zooming =
      this.plot.zoom === null
        ? []
        : [
            button("+", `zoom into ${title}`, () => this.zoomBy(ZOOM_STEP)),
            button("−", `zoom out of ${title}`, () => this.zoomBy(1 / ZOOM_STEP)),
            button("Reset", `show the whole of ${title}`, () => this.zoom?.reset()),
          ];
    return html(
      "div",
      { class: "toolbar", role: "group", "aria-label": `${title}: tools` },
      ...zooming,
      button("SVG", `save ${title} as SVG`, () => this.save("svg", this.svg())),
      button("PNG", `save ${title} as PNG`, () => this.savePng()),
      button("TSV", `save the data of ${title} as TSV`, () => this.save("tsv", tsv(this.plot))),
      html("a", { href: `#${this.id}`, "aria-label": `#${this.id}: link to ${title}` }, "#"),
    );
  }

  private svg(): Blob {
    const { drawing, title, finding } = this.parts;
    return standaloneSvg(drawing, title, finding);
  }

  private save(format: string, blob: Blob): void {
    saveBlob(blob, fileName(this.about, this.id, format));
  }

  private savePng(): void {
    const { width, height } = this.parts.drawing.viewBox.baseVal;
    png(this.svg(), width, height).then(
      (blob) => this.save("png", blob),
      () => {
        this.live.textContent = "This browser can't draw the PNG; save the SVG.";
      },
    );
  }
}

function keysInWords(zooms: boolean): string {
  const cursor = "Arrow keys, Home and End move a cursor; Escape takes it away.";
  return zooms ? `${cursor} Plus and minus zoom; Escape shows the whole again.` : cursor;
}
