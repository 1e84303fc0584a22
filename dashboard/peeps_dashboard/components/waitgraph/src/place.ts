// SPDX-License-Identifier: Apache-2.0
// Stability: what has a place keeps it; a new node goes beside a neighbour that is already known.
import { HEIGHT } from "./shapes";
import type { GraphEdge, GraphNode, Positions } from "./types";

export const placeNew = (known: Positions, proposed: Positions, fresh: GraphNode[], edges: GraphEdge[]): Positions => {
  const places: Positions = new Map(known);
  const taken = (x: number, y: number) =>
    [...places.values()].some((p) => Math.abs(p.x - x) < 200 && Math.abs(p.y - y) < HEIGHT + 8);
  for (const node of fresh) {
    const proposal = proposed.get(node.id);
    if (!proposal) continue;
    const neighbour = edges
      .map((e) => (e.source === node.id ? e.target : e.target === node.id ? e.source : ""))
      .find((id) => places.has(id) && proposed.has(id));
    const anchor = neighbour === undefined ? undefined : places.get(neighbour);
    const anchorProposal = neighbour === undefined ? undefined : proposed.get(neighbour);
    let { x, y } = proposal;
    if (anchor && anchorProposal) {
      x = anchor.x + proposal.x - anchorProposal.x;
      y = anchor.y + proposal.y - anchorProposal.y;
    }
    const from = y;
    for (let i = 1; i < 120 && taken(x, y); i++) y = from + Math.ceil(i / 2) * (HEIGHT + 10) * (i % 2 ? 1 : -1);
    places.set(node.id, { x, y });
  }
  return places;
};
