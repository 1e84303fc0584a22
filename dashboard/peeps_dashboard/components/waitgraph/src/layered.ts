// SPDX-License-Identifier: Apache-2.0
// The general layout: asks the worker. One worker serves every graph of the page.
import source from "worker:./worker.ts";
import { measure, HEIGHT } from "./shapes";
import type { GraphEdge, GraphNode, Positions } from "./types";

interface Answer {
  id: number;
  down: boolean;
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

export interface Layout {
  places: Positions;
  /** Whether it goes from above instead of from left to right. */
  down: boolean;
}

/** `room`: the size of the picture, where the direction may be chosen; else it is `down`. */
export const layered = (
  nodes: GraphNode[],
  edges: GraphEdge[],
  ring: string[],
  room: { w: number; h: number } | null,
  down: boolean,
): Promise<Layout> =>
  new Promise((resolve) => {
    worker ??= start();
    const id = ++sequence;
    waiting.set(id, (answer) =>
      resolve({ places: new Map(answer.places.map(([node, x, y]) => [node, { x, y }])), down: answer.down }),
    );
    const known = new Set(nodes.map((n) => n.id));
    worker.postMessage({
      id,
      room,
      down,
      ring,
      boxes: nodes.map((n) => ({ id: n.id, w: measure(n).width, h: HEIGHT })),
      links: edges.filter((e) => known.has(e.source) && known.has(e.target)),
    });
  });
