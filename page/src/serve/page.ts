/** The elements of a page, and what it says of refusals. */

import { html } from "../dom";
import { Refusal } from "./api";
import { shown } from "./words";

/** The element with an id, which the page has. */
export function element<E extends HTMLElement = HTMLElement>(id: string): E {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found as E;
}

/** Say in a place what was refused and what to do, or nothing. */
export function tell(id: string, error?: unknown): void {
  const place = element(id);
  place.replaceChildren();
  if (error === undefined) return;
  if (!(error instanceof Refusal)) throw error;
  const { title, detail } = error.problem;
  place.append(html("strong", {}, shown(title)), " ", html("span", {}, shown(detail)));
}

/** Run something again and again while the page can be seen. */
export function whileVisible(seconds: number, run: () => Promise<void>): void {
  let timer: number | undefined;
  const turn = async (): Promise<void> => {
    timer = undefined;
    if (document.hidden) return;
    await run();
    if (timer === undefined && !document.hidden) timer = window.setTimeout(turn, seconds * 1000);
  };
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && timer === undefined) void turn();
  });
  void turn();
}

export function stateLabel(state: string): HTMLElement {
  return html("span", { class: `state ${state.toLowerCase()}` }, state.toLowerCase());
}
