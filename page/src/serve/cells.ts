/** The fan-out: a cell a slice. Its state is told by colour and by shape. */

export type SliceState = "w" | "r" | "d" | "f";

export const STATES: readonly (readonly [SliceState, string])[] = [
  ["w", "waiting"],
  ["r", "at work"],
  ["d", "done"],
  ["f", "failed"],
];

/** The states that a run-length text such as `d120,r2` stands for. */
export function parseStates(text: string): SliceState[] {
  return text
    .split(",")
    .filter(Boolean)
    .flatMap((run) => Array<SliceState>(Number(run.slice(1))).fill(run[0] as SliceState));
}

export class Cells {
  private readonly states: SliceState[] = [];
  private isStale = false;
  private columns = 1;
  private size = 1;

  constructor(private readonly canvas: HTMLCanvasElement) {
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** Begin with these states. */
  reset(states: readonly SliceState[], total: number | null): void {
    this.states.length = 0;
    for (const state of states) this.states.push(state);
    this.change([], total);
  }

  /** Slices have other states. */
  change(changes: readonly (readonly [number, SliceState])[], total: number | null): void {
    while (this.states.length < (total ?? 0)) this.states.push("w");
    for (const [index, state] of changes) {
      while (this.states.length <= index) this.states.push("w");
      this.states[index] = state;
    }
    if (this.isStale) return;
    this.isStale = true;
    requestAnimationFrame(() => this.draw());
  }

  count(state: SliceState): number {
    return this.states.filter((each) => each === state).length;
  }

  get total(): number {
    return this.states.length;
  }

  /** The slice at a place of the canvas, and its state. */
  at(x: number, y: number): readonly [number, SliceState] | null {
    const column = Math.floor(x / this.size);
    const index = Math.floor(y / this.size) * this.columns + column;
    const state = this.states[index];
    return state === undefined || column >= this.columns ? null : [index, state];
  }

  private draw(): void {
    this.isStale = false;
    const { canvas, states } = this;
    const width = canvas.clientWidth;
    const context = canvas.getContext("2d");
    if (!width || context === null || !states.length) return;
    // As large as 22 px, as small as it takes for some 260 px of height.
    const fits = (size: number): number =>
      Math.ceil(states.length / Math.floor(width / size)) * size;
    let size = 22;
    while (size > 4 && fits(size) > 260) size -= 1;
    this.size = size;
    this.columns = Math.max(1, Math.floor(width / size));
    const height = Math.ceil(states.length / this.columns) * size;
    const scale = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.style.height = `${height}px`;
    context.scale(scale, scale);
    const style = getComputedStyle(canvas);
    const colours = new Map(STATES.map(([state]) => [state, style.getPropertyValue(`--${state}`)]));
    const gap = size > 8 ? 2 : 1;
    states.forEach((state, index) => {
      const x = (index % this.columns) * size;
      const y = Math.floor(index / this.columns) * size;
      paint(context, state, colours.get(state) ?? "#888", x, y, size - gap);
    });
  }
}

/** One cell: an outline waits, a half is at work, a full one is done, a cross has failed. */
export function paint(
  context: CanvasRenderingContext2D,
  state: SliceState,
  colour: string,
  x: number,
  y: number,
  side: number,
): void {
  context.fillStyle = colour;
  context.strokeStyle = colour;
  context.lineWidth = side > 8 ? 1.5 : 1;
  const half = context.lineWidth / 2;
  if (state === "d") context.fillRect(x, y, side, side);
  else context.strokeRect(x + half, y + half, side - 2 * half, side - 2 * half);
  if (state === "r") context.fillRect(x, y + side / 2, side, side / 2);
  if (state !== "f") return;
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(x + side, y + side);
  context.moveTo(x + side, y);
  context.lineTo(x, y + side);
  context.stroke();
}
