// SPDX-License-Identifier: Apache-2.0
// One mounted graph: its elements, what it has seen, and how new data is taken in.
import { makeCamera } from "./camera";
import { arrowHeads, drawEdges, drawNodes, svgElement, type Drawing } from "./draw";
import { listen } from "./keyboard";
import { layered } from "./layered";
import { placeNew } from "./place";
import { ring } from "./ring";
import { measure, useFont } from "./shapes";
import { STYLE } from "./style";
import type { GraphData, GraphNode, Positions } from "./types";

export interface Events {
  select(id: string): void;
  focus(id: string): void;
}

export interface GraphView {
  show(data: GraphData): void;
  /** Takes everything out of the page: Streamlit may mount anew into the same parent. */
  remove(): void;
  events: Events;
}

// Below this scale no label can be read.
const READABLE = 0.6;
const READ_WELL = 0.75;

const html = (tag: string, className: string): HTMLElement => {
  const made = document.createElement(tag);
  made.className = className;
  return made;
};

export const makeGraphView = (parent: HTMLElement | ShadowRoot, events: Events): GraphView => {
  const style = document.createElement("style");
  style.textContent = STYLE;
  const root = html("div", "wg");
  const svg = svgElement("svg", { class: "view", role: "application", tabindex: "0" });
  const stage = svgElement("g");
  const edgeLayer = svgElement("g");
  const nodeLayer = svgElement("g");
  stage.append(edgeLayer, nodeLayer);
  svg.append(arrowHeads(), stage);
  const bar = html("div", "bar");
  const tools = html("div", "tools");
  root.append(svg, bar, tools);
  parent.append(style, root);

  const camera = makeCamera(svg, stage);
  const drawing: Drawing = { nodes: new Map(), edges: new Map(), routes: { at: "", of: new Map() } };
  let seen = new Map<string, GraphNode>();
  let places: Positions = new Map();
  let data: GraphData | undefined;
  let round = 0;
  let down = false;

  const shownNodes = (d: GraphData): GraphNode[] => {
    const alive = new Set(d.nodes.map((n) => n.id));
    return [...d.nodes, ...[...seen.values()].filter((n) => !alive.has(n.id))];
  };

  const near = (id: string | null) => {
    if (!data) return;
    const keep = new Set([id]);
    for (const e of data.edges) {
      if (e.source === id) keep.add(e.target);
      if (e.target === id) keep.add(e.source);
    }
    for (const [key, g] of drawing.nodes) g.classList.toggle("dim", id !== null && !keep.has(key));
    for (const g of drawing.edges.values())
      g.classList.toggle("dim", id !== null && g.dataset.source !== id && g.dataset.target !== id);
  };

  const legend = (d: GraphData, ghosts: number) => {
    const parts = [
      ["", "waits for"],
      ["dash", "held by"],
    ];
    if (d.edges.some((e) => e.kind !== "needs" && e.kind !== "held_by")) parts.push(["dot", "other relation"]);
    bar.replaceChildren(
      ...parts.map(([line, text]) => {
        const span = html("span", "");
        span.append(html("i", line ?? ""), text ?? "");
        return span;
      }),
    );
    const hint = html("span", "hint");
    const gone = ghosts ? ` · ${ghosts} gone` : "";
    const drawn = d.nodes.filter((n) => n.kind !== "fold").length;
    hint.textContent = `${drawn} of ${d.total.toLocaleString("en")} nodes${gone} · ← → follow · Enter select · f focus · 0 fit · Ctrl+wheel zoom`;
    bar.append(hint);
  };

  const draw = (d: GraphData, first: boolean) => {
    const shown = shownNodes(d);
    drawNodes(nodeLayer, drawing, shown, d, places, first);
    drawEdges(edgeLayer, drawing, d, places, seen);
    legend(d, shown.length - d.nodes.length);
    if (first && !camera.touched) {
      // Where all of it cannot be read: the ring, if that can be, else who is selected. Fit shows everything.
      const ring = shown.filter((n) => d.cycle.includes(n.id));
      const one = shown.find((n) => n.id === d.selected) ?? ring[0] ?? shown[0];
      const readable = (nodes: GraphNode[], most: number) => camera.fit(nodes, places, most) >= READABLE;
      if (!readable(shown, 1.25) && (!ring.length || !readable(ring, READ_WELL)) && one)
        camera.fit([one], places, READ_WELL);
    }
    root.dataset.ready = d.view;
  };

  const arrange = async (d: GraphData, first: boolean) => {
    const mine = ++round;
    const fresh = d.nodes.filter((n) => !places.has(n.id));
    if (d.layout === "ring") places = ring(d, places);
    else if (first || fresh.length) {
      const r = svg.getBoundingClientRect();
      const room = first && r.width > 0 ? { w: r.width, h: r.height } : null;
      const { places: proposed, down: chosen } = await layered(shownNodes(d), d.edges, d.cycle, room, !first && down);
      if (mine !== round) return; // newer data came while the worker was busy
      down = chosen;
      places = first ? proposed : placeNew(places, proposed, fresh, d.edges);
    }
    draw(d, first);
  };

  const rearrange = () => {
    if (!data) return;
    seen = new Map(data.nodes.map((n) => [n.id, n]));
    places = new Map();
    camera.touched = false;
    void arrange(data, true);
  };
  const fit = (ids?: string[]) => {
    if (!data) return;
    const chosen = ids ? data.nodes.filter((n) => ids.includes(n.id)) : shownNodes(data);
    camera.fit(chosen, places);
  };
  const idOf = (e: Event) => (e.target as Element).closest("[data-id]")?.getAttribute("data-id") ?? null;
  const graphView: GraphView = {
    events,
    remove() {
      style.remove();
      root.remove();
    },
    show(d) {
      useFont(getComputedStyle(root).fontFamily);
      const first = data?.view !== d.view || !places.size;
      if (first) {
        seen = new Map();
        places = new Map();
        camera.touched = false;
        if (data && data.view !== d.view) round++;
      }
      for (const n of d.nodes) seen.set(n.id, n);
      data = d;
      root.style.height = `${d.height}px`;
      svg.setAttribute("aria-label", d.alt);
      void arrange(d, first);
    },
  };

  nodeLayer.addEventListener("click", (e) => {
    const id = idOf(e);
    if (id !== null) graphView.events.select(id);
  });
  nodeLayer.addEventListener("dblclick", (e) => {
    const id = idOf(e);
    if (id !== null) graphView.events.focus(id);
  });
  nodeLayer.addEventListener("pointerover", (e) => near(idOf(e)));
  nodeLayer.addEventListener("pointerout", () => near(null));
  listen(svg, {
    data: () => data as GraphData,
    current: () => data?.selected ?? null,
    moveTo(id) {
      const at = places.get(id);
      const node = seen.get(id);
      drawing.nodes.get(id)?.focus({ preventScroll: true });
      if (at && node) camera.reveal(at.x, at.y, measure(node).width);
    },
    select: (id) => graphView.events.select(id),
    focus: (id) => graphView.events.focus(id),
    fit,
    rearrange,
  });
  for (const [text, title, act] of [
    ["Fit", "Show everything (key 0)", () => fit()],
    ["Re-arrange", "Lay the picture out anew (key r)", rearrange],
  ] as const) {
    const button = html("button", "") as HTMLButtonElement;
    button.type = "button";
    button.textContent = text;
    button.title = title;
    button.addEventListener("click", act);
    tools.append(button);
  }
  return graphView;
};
