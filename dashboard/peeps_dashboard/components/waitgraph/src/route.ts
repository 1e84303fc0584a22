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

/** Left to right as an S, back to the left below both boxes; between boxes above each other down, and up beside them. */
export const flowing = (a: Box, b: Box): Route => {
  if (b.x < a.x + a.w && a.x < b.x + b.w && b.y >= a.y + HEIGHT) {
    const [x1, y1, x2, y2] = [a.x + a.w / 2, a.y + HEIGHT, b.x + b.w / 2, b.y];
    const m = Math.max(16, (y2 - y1) / 2.4);
    return {
      d: `M${x1} ${y1}C${x1} ${y1 + m} ${x2} ${y2 - m} ${x2} ${y2}`,
      middle: { x: (x1 + x2) / 2, y: (y1 + y2) / 2 },
    };
  }
  if (b.x < a.x + a.w && a.x < b.x + b.w && b.y + HEIGHT <= a.y) {
    const [x1, y1, x2, y2] = [a.x + a.w, a.y + HEIGHT / 2, b.x + b.w, b.y + HEIGHT / 2];
    const far = Math.max(x1, x2) + 72;
    return {
      d: `M${x1} ${y1}C${far} ${y1} ${far} ${y2} ${x2} ${y2}`,
      middle: { x: (x1 + x2 + 6 * far) / 8, y: (y1 + y2) / 2 },
    };
  }
  if (b.x >= a.x + a.w) {
    const [x1, y1, x2, y2] = [a.x + a.w, a.y + HEIGHT / 2, b.x, b.y + HEIGHT / 2];
    const m = Math.max(30, (x2 - x1) / 2.4);
    return {
      d: `M${x1} ${y1}C${x1 + m} ${y1} ${x2 - m} ${y2} ${x2} ${y2}`,
      middle: { x: (x1 + x2) / 2, y: (y1 + y2) / 2 },
    };
  }
  const [x1, y1, x2, y2] = [a.x + a.w / 2, a.y + HEIGHT, b.x + b.w / 2, b.y + HEIGHT];
  const low = Math.max(y1, y2) + 54;
  return {
    d: `M${x1} ${y1}C${x1} ${low} ${x2} ${low} ${x2} ${y2}`,
    middle: { x: (x1 + x2) / 2, y: (y1 + y2 + 6 * (low - 13)) / 8 },
  };
};
