// SPDX-License-Identifier: Apache-2.0
// What Python sends and what the component remembers.

export interface GraphNode {
  id: string;
  kind: string;
  label: string;
  sub: string;
  /** What is drawn around it: "stuck", "waiting", "idle", "fold" or "gone". */
  tone: string;
  tip: string;
}

export interface GraphEdge {
  id: string;
  source: string;
  target: string;
  kind: string;
  label: string;
}

export interface GraphData {
  /** Identity of the picture: where it changes, positions, ghosts and camera start anew. */
  view: string;
  layout: "ring" | "layered";
  nodes: GraphNode[];
  edges: GraphEdge[];
  /** Ids of the ring in order; empty where there is none. */
  cycle: string[];
  /** Nodes that exist, drawn or not. */
  total: number;
  selected: string | null;
  height: number;
  alt: string;
}

export interface Point {
  x: number;
  y: number;
}

/** Upper left corner of each node's box. */
export type Positions = Map<string, Point>;

export interface ComponentArgs {
  data: GraphData | null;
  parentElement: HTMLElement | ShadowRoot;
  setTriggerValue: (name: string, value: unknown) => void;
}
