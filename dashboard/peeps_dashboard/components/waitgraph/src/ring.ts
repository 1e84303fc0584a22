// SPDX-License-Identifier: Apache-2.0
// A deadlock as a loop: first half left to right on top, the rest back below; what waits behind it outside.
import { measure, HEIGHT } from "./shapes";
import type { GraphData, GraphNode, Positions } from "./types";

const GAP_X = 100;
const GAP_Y = 84;
const OUTSIDE = 52;

export const ring = (data: GraphData, known: Positions): Positions => {
  const places: Positions = new Map(known);
  const byId = new Map(data.nodes.map((n) => [n.id, n]));
  const members = data.cycle.filter((id) => byId.has(id));
  const width = (id: string) => measure(byId.get(id) as GraphNode).width;
  // Two members stand beside each other, so that their two arrows do not lie on one line.
  const columns = members.length === 2 ? 2 : Math.ceil(members.length / 2);
  const step = Math.max(...members.map(width)) + GAP_X;
  const columnOf = new Map<string, { column: number; top: boolean }>();
  members.forEach((id, i) => {
    const top = i < columns;
    const column = top ? i : 2 * columns - 1 - i;
    columnOf.set(id, { column, top });
    places.set(id, { x: column * step - width(id) / 2, y: top ? 0 : HEIGHT + GAP_Y });
  });

  const used = new Map<string, number>();
  for (const node of data.nodes) {
    if (places.has(node.id)) continue;
    const edge = data.edges.find((e) => e.source === node.id && columnOf.has(e.target));
    const back = data.edges.find((e) => e.target === node.id && columnOf.has(e.source));
    const anchor = edge?.target ?? back?.source ?? members[0] ?? "";
    const seat = columnOf.get(anchor);
    const at = places.get(anchor);
    if (!seat || !at) continue;
    const nth = used.get(anchor) ?? 0;
    used.set(anchor, nth + 1);
    const wide = measure(node).width;
    const away = (seat.top ? -1 : 1) * nth * (HEIGHT + 12);
    if (seat.column === 0) places.set(node.id, { x: at.x - OUTSIDE - wide, y: at.y + away });
    else if (seat.column === columns - 1) places.set(node.id, { x: at.x + width(anchor) + OUTSIDE, y: at.y + away });
    else
      places.set(node.id, {
        x: at.x + (width(anchor) - wide) / 2,
        y: at.y + (seat.top ? -1 : 1) * (nth + 1) * (HEIGHT + 34),
      });
  }
  return places;
};
