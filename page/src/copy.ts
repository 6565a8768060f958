/** The button that copies the page's numbers as text. */

import { html } from "./dom";

export function offerCopy(press: HTMLElement, text: string): void {
  const said = html("span", { role: "status", class: "said" });
  press.after(said);
  press.hidden = false;
  press.addEventListener("click", () => {
    void copied(text).then((isDone) => {
      said.textContent = isDone ? "Copied." : "The browser doesn't allow it.";
    });
  });
}

async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copiedBySelection(text);
  }
}

/** Pages over plain HTTP have no clipboard but this. */
function copiedBySelection(text: string): boolean {
  const area = html("textarea", { class: "aside", readonly: "" });
  area.value = text;
  document.body.append(area);
  area.select();
  try {
    return document.execCommand("copy");
  } finally {
    area.remove();
  }
}
