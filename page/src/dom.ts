/** Elements are made by createElement, and text by textContent: names are never markup. */

type Attributes = Readonly<Record<string, string | number>>;

function filled<E extends Element>(
  element: E,
  attributes: Attributes,
  children: readonly (Node | string)[],
): E {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

export function html<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  return filled(document.createElement(tag), attributes, children);
}

export const SVG_NAMESPACE = "http://www.w3.org/2000/svg";

export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): SVGElementTagNameMap[K] {
  return filled(document.createElementNS(SVG_NAMESPACE, tag), attributes, children);
}

export function button(
  text: string,
  purpose: string,
  press: () => void,
  attributes: Attributes = {},
): HTMLButtonElement {
  const made = html(
    "button",
    { type: "button", "aria-label": `${text}: ${purpose}`, title: purpose, ...attributes },
    text,
  );
  made.addEventListener("click", press);
  return made;
}
