// SPDX-License-Identifier: Apache-2.0
// Pan and zoom. The camera moves only where the person wishes it, or when a picture is shown for the first time.
import { measure, HEIGHT } from "./shapes";
import type { GraphNode, Positions } from "./types";

// Room for the buttons above what is drawn.
const TOP = 48;

export interface Camera {
  /** Gives the scale; `most` is the largest. */
  fit(nodes: Iterable<GraphNode>, places: Positions, most?: number): number;
  reveal(x: number, y: number, width: number): void;
  touched: boolean;
}

export const makeCamera = (svg: SVGSVGElement, stage: SVGGElement): Camera => {
  let [x, y, k] = [0, 0, 1];
  const paint = () => stage.setAttribute("transform", `translate(${x},${y}) scale(${k})`);
  const camera: Camera = {
    touched: false,
    fit(nodes, places, most = 1.25) {
      let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
      for (const n of nodes) {
        const p = places.get(n.id);
        if (!p) continue;
        x0 = Math.min(x0, p.x);
        y0 = Math.min(y0, p.y);
        x1 = Math.max(x1, p.x + measure(n).width);
        y1 = Math.max(y1, p.y + HEIGHT);
      }
      if (x0 > x1) return k;
      const r = svg.getBoundingClientRect();
      k = Math.min(r.width / (x1 - x0 + 48), (r.height - 28) / (y1 - y0 + 40), most);
      x = (r.width - (x0 + x1) * k) / 2;
      // In the middle of what is on the screen: the lower part of a high picture may not be.
      const onScreen = Math.min(r.height, innerHeight - r.top);
      const room = r.top >= 0 && onScreen > (y1 - y0) * k + TOP + 24 ? onScreen : r.height;
      y = (room - 24 - (y0 + y1) * k) / 2;
      paint();
      return k;
    },
    reveal(px, py, width) {
      const r = svg.getBoundingClientRect();
      const [left, top, right, bottom] = [px * k + x, py * k + y, (px + width) * k + x, (py + HEIGHT) * k + y];
      if (left < 8) x += 24 - left;
      else if (right > r.width - 8) x -= right - r.width + 24;
      if (top < 8) y += 24 - top;
      else if (bottom > r.height - 30) y -= bottom - r.height + 48;
      paint();
    },
  };
  svg.addEventListener(
    "wheel",
    (e) => {
      // A page must scroll when the pointer merely crosses the picture: zoom wants Ctrl, Cmd or a pinch.
      if (!e.ctrlKey && !e.metaKey) return;
      e.preventDefault();
      camera.touched = true;
      const f = Math.min(3 / k, Math.max(0.08 / k, Math.exp(-e.deltaY / 300)));
      const r = svg.getBoundingClientRect();
      x = e.clientX - r.left - (e.clientX - r.left - x) * f;
      y = e.clientY - r.top - (e.clientY - r.top - y) * f;
      k *= f;
      paint();
    },
    { passive: false },
  );
  let grab: { x: number; y: number } | null = null;
  svg.addEventListener("pointerdown", (e) => {
    grab = { x: e.clientX - x, y: e.clientY - y };
  });
  svg.addEventListener("pointermove", (e) => {
    if (!grab || !e.buttons) return;
    camera.touched = true;
    x = e.clientX - grab.x;
    y = e.clientY - grab.y;
    paint();
  });
  return camera;
};
