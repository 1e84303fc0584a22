// SPDX-License-Identifier: Apache-2.0
// The general layout: asks the worker. One worker serves every graph of the page.
import source from "worker:./worker.ts";
import { measure, HEIGHT } from "./shapes";
import type { GraphEdge, GraphNode, Positions } from "./types";

interface Answer {
  id: number;
  places: [string, number, number][];
}

let worker: Worker | undefined;
let sequence = 0;
const waiting = new Map<number, (answer: Answer) => void>();

const start = (): Worker => {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const made = new Worker(url);
  URL.revokeObjectURL(url);
  made.onmessage = ({ data }: MessageEvent<Answer>) => {
    waiting.get(data.id)?.(data);
    waiting.delete(data.id);
  };
  return made;
};

export const layered = (nodes: GraphNode[], edges: GraphEdge[]): Promise<Positions> =>
  new Promise((resolve) => {
    worker ??= start();
    const id = ++sequence;
    waiting.set(id, (answer) => resolve(new Map(answer.places.map(([node, x, y]) => [node, { x, y }]))));
    const known = new Set(nodes.map((n) => n.id));
    worker.postMessage({
      id,
      boxes: nodes.map((n) => ({ id: n.id, w: measure(n).width, h: HEIGHT })),
      links: edges.filter((e) => known.has(e.source) && known.has(e.target)),
    });
  });
