/** A figure as a file: SVG and PNG as it is seen, TSV with all of its data. */

import { html, svg, SVG_NAMESPACE } from "./dom";
import type { Row, Table } from "./plot";

/** Pixels of a PNG for each unit of the drawing. */
const PNG_SCALE = 2;

const STEM_CHARACTERS = 120;

/** The names of files: what the page is about, the figure, the format. */
export function fileName(about: string, figure: string, format: string): string {
  const stem = [...about.replace(/[\p{C}/\\:*?"<>|]/gu, "_")].slice(0, STEM_CHARACTERS).join("");
  return `${stem}.${figure}.${format}`;
}

export function saveBlob(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = html("a", { href: url, download: name });
  link.click();
  // The browser has taken the file over by the next task, or has it from the blob already.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** The plot as a document of its own: light, on white, zoomed as it is, without a cursor. */
export function standaloneSvg(drawing: SVGSVGElement, title: string, finding: string): Blob {
  const copy = drawing.cloneNode(true) as SVGSVGElement;
  const { width, height } = drawing.viewBox.baseVal;
  for (const name of ["aria-labelledby", "aria-hidden", "style"]) copy.removeAttribute(name);
  copy.classList.remove("zoomable", "zoomed");
  copy.querySelector("g.cursor")?.remove();
  copy.setAttribute("role", "img");
  copy.setAttribute("width", String(width));
  copy.setAttribute("height", String(height));
  copy.prepend(
    svg("title", {}, title),
    svg("desc", {}, finding),
    svg("style", {}, lightRules(document.getElementById("plot-style")?.textContent ?? "")),
    svg("rect", { class: "paper", width: "100%", height: "100%", fill: "#fff" }),
  );
  copy.setAttribute("xmlns", SVG_NAMESPACE);
  const text = new XMLSerializer().serializeToString(copy);
  return new Blob([`<?xml version="1.0" encoding="UTF-8"?>\n${text}\n`], { type: "image/svg+xml" });
}

/** The rules of a style sheet before those for a dark screen, which are its last. */
function lightRules(style: string): string {
  const dark = style.search(/@media[^{]*prefers-color-scheme:\s*dark/);
  return dark < 0 ? style : style.slice(0, dark);
}

/** An SVG document drawn as pixels. */
export async function png(source: Blob, width: number, height: number): Promise<Blob> {
  const url = URL.createObjectURL(source);
  try {
    const image = html("img", { src: url, width, height });
    await image.decode();
    const canvas = html("canvas", { width: width * PNG_SCALE, height: height * PNG_SCALE });
    const context = canvas.getContext("2d");
    if (context === null) throw new Error("no canvas");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/png"));
    if (blob === null) throw new Error("no PNG");
    return blob;
  } finally {
    URL.revokeObjectURL(url);
  }
}

const ESCAPES: Readonly<Record<string, string>> = { "\t": "\\t", "\n": "\\n", "\r": "\\r" };

function field(value: Row[number]): string {
  if (value === null) return "";
  return String(value).replace(/[\t\n\r]/g, (character) => ESCAPES[character] ?? "");
}

export function tsv(data: Table): Blob {
  const lines = [data.columns, ...data.rows()].map((row) => `${row.map(field).join("\t")}\n`);
  return new Blob(lines, { type: "text/tab-separated-values" });
}
