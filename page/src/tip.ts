/** What the cursor says: in a box beside it, and to a screen reader as one sentence. */

import { html } from "./dom";
import { clamped, type Point, type Reading } from "./plot";

/** Between the cursor and the tip, in CSS pixels. */
const AWAY_PX = 14;

/** Longer names are cut in the tip; the table and the TSV file have them in full. */
const NAME_CHARACTERS = 100;

function cut(name: string): string {
  const characters = [...name.slice(0, 2 * NAME_CHARACTERS + 2)];
  if (characters.length <= NAME_CHARACTERS) return name;
  return `${characters.slice(0, NAME_CHARACTERS).join("")}…`;
}

/** A name keeps its direction to itself. */
function isolated(name: string): HTMLElement {
  return html("bdi", {}, cut(name));
}

export class Tip {
  readonly box = html("div", { class: "tip", "aria-hidden": "true", hidden: "" });

  hide(): void {
    this.box.hidden = true;
  }

  /**
   * @param reading - What it says.
   * @param at - The cursor, in CSS pixels from the corner of what the tip is in.
   * @param width - The width of that.
   */
  show({ names, place, values }: Reading, at: Point, width: number): void {
    this.box.replaceChildren(
      ...names.map((name) => html("strong", {}, isolated(name))),
      html("span", {}, place),
      ...values.map((value) => html("span", {}, value)),
    );
    this.box.hidden = false;
    const { offsetWidth, offsetHeight } = this.box;
    const isLeft = at.x + AWAY_PX + offsetWidth > width;
    const x = isLeft ? at.x - AWAY_PX - offsetWidth : at.x + AWAY_PX;
    const y = at.y - AWAY_PX - offsetHeight;
    this.box.style.left = `${clamped(x, 0, Math.max(width - offsetWidth, 0))}px`;
    this.box.style.top = `${y < 0 ? at.y + AWAY_PX : y}px`;
  }
}

/** Says one sentence: `names, place: values`. */
export function announce(region: HTMLElement, { names, place, values }: Reading): void {
  const parts: (Node | string)[] = names.flatMap((name) => [isolated(name), ", "]);
  region.replaceChildren(...parts, `${place}: ${values.join(", ")}`);
}
