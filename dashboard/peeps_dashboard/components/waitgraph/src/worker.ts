// SPDX-License-Identifier: Apache-2.0
// Runs in a Web Worker: layered layout, off the main thread. From left to right; from above where that is far larger to
// read in the room there is.
import { Graph, layout } from "@dagrejs/dagre";

interface Job {
  id: number;
  /** The picture's size; none where the direction is `down` already. */
  room: { w: number; h: number } | null;
  down: boolean;
  boxes: { id: string; w: number; h: number }[];
  links: { id: string; source: string; target: string }[];
}

const READ_WELL = 0.75;
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

const scale = (g: Graph, { w, h }: { w: number; h: number }): number => {
  const { width, height } = g.graph() as { width: number; height: number };
  return Math.min(w / (width + 48), h / (height + 40));
};

self.onmessage = ({ data }: MessageEvent<Job>) => {
  let down = data.down;
  let g = laidOut(data, down);
  const { room } = data;
  if (room && !down && data.boxes.length <= BOXES_MOST && scale(g, room) < READ_WELL) {
    const other = laidOut(data, true);
    if (scale(other, room) > WORTH * scale(g, room)) [g, down] = [other, true];
  }
  const places = data.boxes.map((b) => {
    const p = g.node(b.id) as { x: number; y: number };
    return [b.id, p.x - b.w / 2, p.y - b.h / 2];
  });
  self.postMessage({ id: data.id, places, down });
};
