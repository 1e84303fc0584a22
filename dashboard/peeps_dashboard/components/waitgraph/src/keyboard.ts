// SPDX-License-Identifier: Apache-2.0
// Arrow keys follow waits; everything the mouse can do has a key.
import type { GraphData } from "./types";

export interface Actions {
  data(): GraphData;
  current(): string | null;
  moveTo(id: string): void;
  select(id: string): void;
  focus(id: string): void;
  fit(ids?: string[]): void;
  rearrange(): void;
}

export const listen = (svg: SVGSVGElement, act: Actions): void => {
  svg.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const data = act.data();
    const at =
      (e.target as Element).closest("[data-id]")?.getAttribute("data-id") ??
      act.current() ??
      data.cycle[0] ??
      data.nodes[0]?.id;
    if (at === undefined) return;
    const go = (id: string | undefined) => {
      if (id !== undefined) act.moveTo(id);
    };
    if (e.key === "ArrowRight") go(data.edges.find((x) => x.source === at)?.target);
    else if (e.key === "ArrowLeft") go(data.edges.find((x) => x.target === at)?.source);
    else if (e.key === "Enter" || e.key === " ") act.select(at);
    else if (e.key === "f") act.focus(at);
    else if (e.key === "r") act.rearrange();
    else if (e.key === "0") act.fit();
    else if (e.key === "c" && data.cycle.length) act.fit(data.cycle);
    else return;
    e.preventDefault();
    e.stopPropagation();
  });
};
