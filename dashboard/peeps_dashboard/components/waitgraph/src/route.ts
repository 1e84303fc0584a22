// SPDX-License-Identifier: Apache-2.0
// The line of an edge from border to border, and where its label stands.
import { HEIGHT } from "./shapes";
import type { Point } from "./types";

export interface Box extends Point {
  w: number;
}

export interface Route {
  d: string;
  middle: Point;
}

const centre = (b: Box): Point => ({ x: b.x + b.w / 2, y: b.y + HEIGHT / 2 });

/** A straight line, or a bow where `bend` keeps two opposite edges apart. */
export const straight = (a: Box, b: Box, bend: number): Route => {
  const p = centre(a);
  const q = centre(b);
  const dx = q.x - p.x;
  const dy = q.y - p.y;
  const reach = (w: number) =>
    Math.min(w / 2 / Math.max(1e-6, Math.abs(dx)), HEIGHT / 2 / Math.max(1e-6, Math.abs(dy)));
  const f = reach(a.w);
  const g = reach(b.w);
  const length = Math.hypot(dx, dy) || 1;
  const nx = (-dy / length) * bend;
  const ny = (dx / length) * bend;
  const x1 = p.x + dx * f;
  const y1 = p.y + dy * f + (bend ? ny * 0.25 : 0);
  const x2 = q.x - dx * g;
  const y2 = q.y - dy * g + (bend ? ny * 0.25 : 0);
  const middle = { x: (x1 + x2) / 2 + nx * 0.75, y: (y1 + y2) / 2 + ny * 0.75 };
  if (!bend) return { d: `M${x1} ${y1}L${x2} ${y2}`, middle };
  return { d: `M${x1} ${y1}Q${(x1 + x2) / 2 + nx * 1.5} ${(y1 + y2) / 2 + ny * 1.5} ${x2} ${y2}`, middle };
};

/** A curve by its two ends and the two points that pull it. */
export type Curve = readonly [Point, Point, Point, Point];

export const along = ([p, c, d, q]: Curve, t: number): Point => {
  const u = 1 - t;
  const mix = (k: "x" | "y") => u * u * u * p[k] + 3 * u * u * t * c[k] + 3 * u * t * t * d[k] + t * t * t * q[k];
  return { x: mix("x"), y: mix("y") };
};

export const drawn = (curve: Curve): Route => {
  const [p, c, d, q] = curve;
  return { d: `M${p.x} ${p.y}C${c.x} ${c.y} ${d.x} ${d.y} ${q.x} ${q.y}`, middle: along(curve, 0.5) };
};

/** From p to q, pulled out of p and into q along x or along y. */
const pulled = (p: Point, q: Point, dx: number, dy: number): Curve => [
  p,
  { x: p.x + dx, y: p.y + dy },
  { x: q.x - dx, y: q.y - dy },
  q,
];

export const right = (b: Box): Point => ({ x: b.x + b.w, y: b.y + HEIGHT / 2 });
export const left = (b: Box): Point => ({ x: b.x, y: b.y + HEIGHT / 2 });
export const below = (b: Box): Point => ({ x: b.x + b.w / 2, y: b.y + HEIGHT });
export const above = (b: Box): Point => ({ x: b.x + b.w / 2, y: b.y });

/** Left to right as an S, back to the left below both boxes; between boxes above each other down, and up beside them. */
export const flowing = (a: Box, b: Box): Curve => {
  const areStacked = b.x < a.x + a.w && a.x < b.x + b.w;
  if (areStacked && b.y >= a.y + HEIGHT) {
    const [p, q] = [below(a), above(b)];
    return pulled(p, q, 0, Math.max(16, (q.y - p.y) / 2.4));
  }
  if (areStacked && b.y + HEIGHT <= a.y) {
    const [p, q] = [right(a), right(b)];
    const far = Math.max(p.x, q.x) + 72;
    return [p, { x: far, y: p.y }, { x: far, y: q.y }, q];
  }
  if (b.x >= a.x + a.w) {
    const [p, q] = [right(a), left(b)];
    return pulled(p, q, Math.max(30, (q.x - p.x) / 2.4), 0);
  }
  const [p, q] = [below(a), below(b)];
  const low = Math.max(p.y, q.y) + 54;
  return [p, { x: p.x, y: low }, { x: q.x, y: low }, q];
};
