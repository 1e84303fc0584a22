// SPDX-License-Identifier: Apache-2.0
// An edge that would run through boxes which it has nothing to do with goes around them where that can be.
import { above, along, below, flowing, left, right, type Box, type Curve } from "./route";
import { HEIGHT } from "./shapes";
import type { Point } from "./types";

const CLEAR = 7;
const SAMPLES = 40;
// How far such a curve gets of the way to what pulls it.
const PULL = 0.75;

const isIn = ({ x, y }: Point, b: Box, margin: number): boolean =>
  x > b.x - margin && x < b.x + b.w + margin && y > b.y - margin && y < b.y + HEIGHT + margin;

/** How many points of the curve lie in or close to one of `others`, or in its own two boxes. */
const hits = (curve: Curve, own: readonly Box[], others: readonly Box[]): number => {
  let found = 0;
  for (let i = 1; i < SAMPLES; i++) {
    const point = along(curve, i / SAMPLES);
    for (const b of others) if (isIn(point, b, CLEAR)) found += 1;
    for (const b of own) if (isIn(point, b, -1)) found += 1;
  }
  return found;
};

/** The ways around: under or over boxes that lie between, or past them on either side; the shortest first. */
const around = (a: Box, b: Box, between: readonly Box[]): Curve[] => {
  const curves: Curve[] = [];
  const isOnward = b.x >= a.x + a.w;
  const reach = (from: number, to: number, level: number) => (level - (from + to) * ((1 - PULL) / 2)) / PULL;
  for (const box of [...between, a, b]) {
    for (const [p, q, level] of [
      [below(a), below(b), box.y + HEIGHT + 3 * CLEAR],
      [above(a), above(b), box.y - 3 * CLEAR],
      ...(isOnward ? [[right(a), left(b), box.y + HEIGHT + 2 * CLEAR] as const] : []),
      ...(isOnward ? [[right(a), left(b), box.y - 2 * CLEAR] as const] : []),
    ] as const) {
      const y = reach(p.y, q.y, level);
      const out = p.y === a.y + HEIGHT / 2 ? 60 : 0;
      curves.push([p, { x: p.x + out, y }, { x: q.x - out, y }, q]);
    }
    for (const [p, q, level] of [
      [right(a), right(b), box.x + box.w + 3 * CLEAR],
      [left(a), left(b), box.x - 3 * CLEAR],
    ] as const) {
      const x = reach(p.x, q.x, level);
      curves.push([p, { x, y: p.y }, { x, y: q.y }, q]);
    }
  }
  const length = (curve: Curve): number => {
    let sum = 0;
    for (let i = 1; i < 4; i++) {
      const [from, to] = [curve[i - 1], curve[i]];
      if (from && to) sum += Math.hypot(to.x - from.x, to.y - from.y);
    }
    return sum;
  };
  return curves.sort((one, other) => length(one) - length(other));
};

/** As an edge flows; where boxes are in its way, the shortest way around them, else the one that meets the fewest. */
export const clear = (a: Box, b: Box, others: readonly Box[]): Curve => {
  let best = flowing(a, b);
  let least = hits(best, [a, b], others);
  if (!least) return best;
  for (const curve of around(a, b, others)) {
    const met = hits(curve, [a, b], others);
    if (met < least) [best, least] = [curve, met];
    if (!least) break;
  }
  return best;
};
