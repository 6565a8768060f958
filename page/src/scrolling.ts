/** Boxes of tables that are too wide: the keyboard can scroll them, and they say what they are. */

export function keepReachable(boxes: Iterable<HTMLElement>): void {
  const watch = new ResizeObserver((entries) => {
    for (const { target } of entries) makeReachable(target);
  });
  for (const box of boxes) {
    makeReachable(box);
    watch.observe(box);
  }
}

function makeReachable(box: Element): void {
  const attributes = {
    tabindex: "0",
    role: "region",
    "aria-label": box.querySelector("caption")?.textContent ?? "Table",
  };
  const isScrolling = box.scrollWidth > box.clientWidth;
  for (const [name, value] of Object.entries(attributes)) {
    if (isScrolling) box.setAttribute(name, value);
    else box.removeAttribute(name);
  }
}
