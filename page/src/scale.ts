/** The scale of an axis. */

import { scaleLinear, scaleLog, type ScaleLinear, type ScaleLogarithmic } from "d3-scale";
import type { Axis } from "./data";
import { clamped } from "./plot";

export type Scale = ScaleLinear<number, number> | ScaleLogarithmic<number, number>;

export function scaleOf(axis: Axis): Scale {
  const scale: Scale = axis.scale === "log" ? scaleLog() : scaleLinear();
  return scale.domain(axis.domain).range(axis.range);
}

/** Where a value is drawn. What has no place on the axis, such as 0 on a log axis, is at its end. */
export function placeOn(axis: Axis, scale: Scale): (value: number) => number {
  const [start, end] = axis.range;
  const far = 10 * Math.abs(end - start);
  return (value) => {
    const place = scale(value);
    return Number.isFinite(place) ? clamped(place, start - far, start + far) : start;
  };
}

/** The first place in ascending numbers that is not below a value; their length if all are. */
export function lowerBound(ascending: ArrayLike<number>, value: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] ?? Infinity) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
