// SPDX-License-Identifier: Apache-2.0
// Runs in a Web Worker: layered layout, off the main thread. From left to right; from above where that is far larger to
// read in the room there is.
import { Graph, layout } from "@dagrejs/dagre";

interface Job {
  id: number;
  /** The picture's size; none where the direction is `down` already. */
  room: { w: number; h: number } | null;
  down: boolean;
  /** What a reader begins with where not all of it can be read: the ring. */
  ring: string[];
  boxes: { id: string; w: number; h: number }[];
  links: { id: string; source: string; target: string }[];
}

const READ_WELL = 0.75;
// Below this scale no label can be read.
const READABLE = 0.6;
const WORTH = 1.3;
const BOXES_MOST = 120;

const laidOut = ({ boxes, links }: Job, down: boolean): Graph => {
  const g = new Graph({ multigraph: true });
  g.setGraph(down ? { rankdir: "TB", nodesep: 28, ranksep: 52 } : { rankdir: "LR", nodesep: 20, ranksep: 88 });
  g.setDefaultEdgeLabel(() => ({}));
  for (const b of boxes) g.setNode(b.id, { width: b.w, height: b.h });
  for (const l of links) g.setEdge(l.source, l.target, {}, l.id);
  layout(g);
  return g;
};

type Size = { w: number; h: number };

const fitting = (width: number, height: number, { w, h }: Size): number =>
  Math.min(w / (width + 48), h / (height + 40));

const scale = (g: Graph, room: Size): number => {
  const { width, height } = g.graph() as { width: number; height: number };
  return fitting(width, height, room);
};

const scaleOfRing = (g: Graph, { ring, boxes }: Job, room: Size): number => {
  const inside = boxes
    .filter((b) => ring.includes(b.id))
    .map((b) => ({ ...b, ...(g.node(b.id) as { x: number; y: number }) }));
  const extent = (at: (b: (typeof inside)[number]) => number, size: (b: (typeof inside)[number]) => number) =>
    Math.max(...inside.map((b) => at(b) + size(b) / 2)) - Math.min(...inside.map((b) => at(b) - size(b) / 2));
  return fitting(
    extent(
      (b) => b.x,
      (b) => b.w,
    ),
    extent(
      (b) => b.y,
      (b) => b.h,
    ),
    room,
  );
};

/** Whether `other` is worth it: all of it is far larger, or the ring can be read there and not here. */
const isBetter = (other: Graph, g: Graph, job: Job, room: Size): boolean => {
  if (scale(other, room) > WORTH * scale(g, room)) return true;
  if (!job.ring.length || scale(g, room) >= READABLE) return false;
  return scaleOfRing(g, job, room) < READABLE && scaleOfRing(other, job, room) >= READABLE;
};

self.onmessage = ({ data }: MessageEvent<Job>) => {
  let down = data.down;
  let g = laidOut(data, down);
  const { room } = data;
  if (room && !down && data.boxes.length <= BOXES_MOST && scale(g, room) < READ_WELL) {
    const other = laidOut(data, true);
    if (isBetter(other, g, data, room)) [g, down] = [other, true];
  }
  const places = data.boxes.map((b) => {
    const p = g.node(b.id) as { x: number; y: number };
    return [b.id, p.x - b.w / 2, p.y - b.h / 2];
  });
  self.postMessage({ id: data.id, places, down });
};
