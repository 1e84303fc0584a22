// SPDX-License-Identifier: Apache-2.0
// Runs in a Web Worker: layered layout, off the main thread.
import { Graph, layout } from "@dagrejs/dagre";

interface Job {
  id: number;
  boxes: { id: string; w: number; h: number }[];
  links: { id: string; source: string; target: string }[];
}

self.onmessage = ({ data }: MessageEvent<Job>) => {
  const g = new Graph({ multigraph: true });
  g.setGraph({ rankdir: "LR", nodesep: 20, ranksep: 88 });
  g.setDefaultEdgeLabel(() => ({}));
  for (const b of data.boxes) g.setNode(b.id, { width: b.w, height: b.h });
  for (const l of data.links) g.setEdge(l.source, l.target, {}, l.id);
  layout(g);
  const places = data.boxes.map((b) => {
    const p = g.node(b.id) as { x: number; y: number };
    return [b.id, p.x - b.w / 2, p.y - b.h / 2];
  });
  self.postMessage({ id: data.id, places });
};
