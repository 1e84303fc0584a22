// SPDX-License-Identifier: Apache-2.0
// Nodes and edges as SVG, restyled in place. Labels come from other programs: textContent only.
import { clear } from "./detour";
import { drawn, straight, type Box, type Route } from "./route";
import { measure, HEIGHT, icon, outline, textLeft } from "./shapes";
import type { GraphData, GraphEdge, GraphNode, Positions } from "./types";

const NS = "http://www.w3.org/2000/svg";

export const svgElement = <K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
): SVGElementTagNameMap[K] => {
  const made = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
};

const setText = (element: Element | null, text: string): void => {
  if (element && element.textContent !== text) element.textContent = text;
};

const newNode = (node: GraphNode): SVGGElement => {
  const g = svgElement("g", { "data-id": node.id, tabindex: "0", role: "button" });
  const mark = svgElement("path", { class: "icon", d: icon(node.kind), transform: `translate(13,${HEIGHT / 2 - 7})` });
  const label = svgElement("text", { class: "label", x: String(textLeft), y: "20" });
  const sub = svgElement("text", { class: "sub", x: String(textLeft), y: "36" });
  g.append(svgElement("path", { class: "box" }), mark, label, sub, svgElement("title"));
  return g;
};

const EDGE_CLASS = new Set(["needs", "held_by"]);

export interface Drawing {
  nodes: Map<string, SVGGElement>;
  edges: Map<string, SVGGElement>;
  /** The lines of edges, as long as no box is elsewhere than `at` says. */
  routes: { at: string; of: Map<string, Route> };
}

export const drawNodes = (
  layer: SVGGElement,
  drawing: Drawing,
  shown: GraphNode[],
  data: GraphData,
  places: Positions,
  first: boolean,
): void => {
  const cycle = new Set(data.cycle);
  const alive = new Set(data.nodes.map((n) => n.id));
  const wanted = new Set<string>();
  for (const node of shown) {
    const at = places.get(node.id);
    if (!at) continue;
    wanted.add(node.id);
    let g = drawing.nodes.get(node.id);
    const isNew = !g;
    if (!g) {
      g = newNode(node);
      layer.append(g);
      drawing.nodes.set(node.id, g);
    }
    const { label, sub, width } = measure(node);
    const box = g.querySelector(".box");
    const d = outline(node.kind, width);
    if (box?.getAttribute("d") !== d) box?.setAttribute("d", d);
    const move = `translate(${at.x},${at.y})`;
    if (g.getAttribute("transform") !== move) g.setAttribute("transform", move);
    setText(g.querySelector(".label"), label);
    setText(g.querySelector(".sub"), sub);
    setText(g.querySelector("title"), node.tip);
    g.setAttribute("aria-label", node.tip.replaceAll("\n", ", "));
    const tone = cycle.has(node.id) ? "stuck" : node.tone;
    const extra = `${alive.has(node.id) ? "" : " ghost"}${isNew && !first ? " new" : ""}${data.selected === node.id ? " sel" : ""}`;
    g.setAttribute("class", `n k-${node.kind} ${tone}${extra}`);
  }
  for (const [id, g] of drawing.nodes) {
    if (wanted.has(id)) continue;
    g.remove();
    drawing.nodes.delete(id);
  }
};

const newEdge = (edge: GraphEdge): SVGGElement => {
  const g = svgElement("g", { "data-source": edge.source, "data-target": edge.target, "aria-hidden": "true" });
  g.append(svgElement("path"), svgElement("text"));
  return g;
};

export const drawEdges = (
  layer: SVGGElement,
  drawing: Drawing,
  data: GraphData,
  places: Positions,
  seen: Map<string, GraphNode>,
): void => {
  const wanted = new Set<string>();
  const cycle = data.cycle;
  const next = new Map(cycle.map((id, i) => [id, cycle[(i + 1) % cycle.length]]));
  const box = (id: string): Box | null => {
    const at = places.get(id);
    const node = seen.get(id);
    return at && node ? { ...at, w: measure(node).width } : null;
  };
  const boxes = new Map<string, Box>();
  for (const node of seen.values()) {
    const found = box(node.id);
    if (found) boxes.set(node.id, found);
  }
  const at = [...boxes].map(([id, b]) => `${id} ${b.x} ${b.y} ${b.w}`).join();
  if (drawing.routes.at !== at) drawing.routes = { at, of: new Map() };
  const layered = (edge: GraphEdge, a: Box, b: Box): Route => {
    const key = `${edge.source} ${edge.target}`;
    let route = drawing.routes.of.get(key);
    if (!route) {
      const others = [...boxes].filter(([id]) => id !== edge.source && id !== edge.target).map(([, other]) => other);
      route = drawn(clear(a, b, others));
      drawing.routes.of.set(key, route);
    }
    return route;
  };
  for (const edge of data.edges) {
    const a = box(edge.source);
    const b = box(edge.target);
    if (!a || !b || edge.source === edge.target) continue;
    wanted.add(edge.id);
    let g = drawing.edges.get(edge.id);
    if (!g) {
      g = newEdge(edge);
      layer.append(g);
      drawing.edges.set(edge.id, g);
    }
    const inRing = next.get(edge.source) === edge.target;
    const { d, middle } =
      data.layout === "ring" ? straight(a, b, inRing && cycle.length === 2 ? 34 : 0) : layered(edge, a, b);
    const path = g.querySelector("path");
    path?.setAttribute("d", d);
    path?.setAttribute("marker-end", inRing ? "url(#wg-arrow-cyc)" : "url(#wg-arrow)");
    const text = g.querySelector("text");
    setText(text, edge.label);
    text?.setAttribute("x", String(middle.x));
    text?.setAttribute("y", String(middle.y + 4));
    g.setAttribute("class", `e ${EDGE_CLASS.has(edge.kind) ? edge.kind : "other"}${inRing ? " cyc" : ""}`);
  }
  for (const [id, g] of drawing.edges) {
    if (wanted.has(id)) continue;
    g.remove();
    drawing.edges.delete(id);
  }
};

export const arrowHeads = (): SVGDefsElement => {
  const defs = svgElement("defs");
  for (const [id, kind] of [
    ["wg-arrow", "arrow"],
    ["wg-arrow-cyc", "arrow cyc"],
  ] as const) {
    const marker = svgElement("marker", {
      id,
      viewBox: "0 0 8 8",
      refX: "7.4",
      refY: "4",
      markerWidth: "12",
      markerHeight: "12",
      markerUnits: "userSpaceOnUse",
      orient: "auto",
    });
    marker.append(svgElement("path", { d: "M0 0.4L8 4L0 7.6z", class: kind }));
    defs.append(marker);
  }
  return defs;
};
