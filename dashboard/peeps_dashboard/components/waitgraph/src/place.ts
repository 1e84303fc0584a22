// SPDX-License-Identifier: Apache-2.0
// Stability: what has a place keeps it; a new node goes beside a neighbour that is already known.
import { HEIGHT } from "./shapes";
import type { GraphEdge, GraphNode, Positions } from "./types";

export const placeNew = (known: Positions, wished: Positions, fresh: GraphNode[], edges: GraphEdge[]): Positions => {
  const places: Positions = new Map(known);
  const taken = (x: number, y: number) =>
    [...places.values()].some((p) => Math.abs(p.x - x) < 200 && Math.abs(p.y - y) < HEIGHT + 8);
  for (const node of fresh) {
    const wish = wished.get(node.id);
    if (!wish) continue;
    const neighbour = edges
      .map((e) => (e.source === node.id ? e.target : e.target === node.id ? e.source : ""))
      .find((id) => places.has(id) && wished.has(id));
    const anchor = neighbour === undefined ? undefined : places.get(neighbour);
    const anchorWish = neighbour === undefined ? undefined : wished.get(neighbour);
    let { x, y } = wish;
    if (anchor && anchorWish) {
      x = anchor.x + wish.x - anchorWish.x;
      y = anchor.y + wish.y - anchorWish.y;
    }
    const from = y;
    for (let i = 1; i < 120 && taken(x, y); i++) y = from + Math.ceil(i / 2) * (HEIGHT + 10) * (i % 2 ? 1 : -1);
    places.set(node.id, { x, y });
  }
  return places;
};
