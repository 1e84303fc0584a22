// SPDX-License-Identifier: Apache-2.0
// One outline and one icon per kind, so that a kind is readable without colour.
import type { GraphNode } from "./types";

export const HEIGHT = 46;
const MAX_WIDTH = 236;
const FOLD_WIDTH = 188;
const TEXT_LEFT = 34;

const ROUND = (w: number) =>
  `M10 0H${w - 10}a10 10 0 0 1 10 10V36a10 10 0 0 1 -10 10H10a10 10 0 0 1 -10 -10V10a10 10 0 0 1 10 -10z`;
const SQUARE = (w: number) => `M0 0H${w}V46H0z`;
const HEXAGON = (w: number) => `M13 0H${w - 13}L${w} 23L${w - 13} 46H13L0 23z`;
const BARREL = (w: number) => `M12 0H${w - 12}a12 23 0 0 1 0 46H12a12 23 0 0 1 0 -46z`;
const ARROW = (w: number) => `M0 0H${w - 14}L${w} 23L${w - 14} 46H0z`;
const CUT = (w: number) => `M10 0H${w}V36L${w - 10} 46H0V10z`;

const OUTLINES: Record<string, (w: number) => string> = {
  task: ROUND,
  thread: SQUARE,
  lock: HEXAGON,
  semaphore: HEXAGON,
  condition: HEXAGON,
  barrier: HEXAGON,
  tx: BARREL,
  rx: BARREL,
  request: ARROW,
  response: ARROW,
  connection: ARROW,
  fold: SQUARE,
};

// Icons on a 14 x 14 field, drawn as strokes.
const CIRCLE = "M7 1.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 1 1 0 -11z";
const PADLOCK = "M2.5 6.5h9v6h-9zM4.5 6.5V4a2.5 2.5 0 0 1 5 0v2.5";
const ICONS: Record<string, string> = {
  task: "M3.5 2L11.5 7L3.5 12z",
  thread: "M2 3.5h10M2 7h10M2 10.5h10",
  lock: PADLOCK,
  semaphore: "M3 1.5v11M7 1.5v11M11 1.5v11",
  condition: CIRCLE + "M7 4v3.5M7 9.6v.3",
  barrier: "M1.5 4h11v3h-11zM4 7v5M10 7v5",
  event: "M8 1L3 8h4l-1 5l5 -7H7z",
  tx: "M1.5 4h8M7 1.5L9.5 4L7 6.5M1.5 10.5h11",
  rx: "M12.5 10h-8M7 7.5L4.5 10L7 12.5M1.5 3.5h11",
  future: CIRCLE + "M4.5 7h5",
  timer: CIRCLE + "M7 4v3l2 1.5",
  request: "M1.5 7h10M8 3.5L11.5 7L8 10.5",
  response: "M12.5 7h-10M6 3.5L2.5 7L6 10.5",
  fold: "M3 7h.1M7 7h.1M11 7h.1",
};

export const outline = (kind: string, width: number): string => (OUTLINES[kind] ?? CUT)(width);
export const icon = (kind: string): string => ICONS[kind] ?? CIRCLE;
export const textLeft = TEXT_LEFT;

const context = document.createElement("canvas").getContext("2d");
let family = "sans-serif";

export const useFont = (name: string): void => {
  if (name) family = name;
};

const textWidth = (text: string, font: string): number => {
  if (!context) return text.length * 7;
  context.font = `${font} ${family}`;
  return context.measureText(text).width;
};

const LABEL = "600 13px";
const SUB = "400 11px";

/** The text cut to what a box can hold, with an ellipsis: never past the outline. */
const clip = (text: string, font: string, widest: number): string => {
  const room = widest - TEXT_LEFT - 18;
  if (textWidth(text, font) <= room) return text;
  let keep = text.length;
  while (keep > 1 && textWidth(text.slice(0, keep) + "…", font) > room) keep -= 1;
  return text.slice(0, keep) + "…";
};

export interface Measured {
  label: string;
  sub: string;
  width: number;
}

const measured = new Map<string, Measured>();

/** What is written in a box and how wide it is. Widths go in steps, so that a counting age does not move a border. */
export const measure = (node: GraphNode): Measured => {
  const key = `${family}\n${node.label}\n${node.sub}`;
  let made = measured.get(key);
  if (!made) {
    const widest = node.kind === "fold" ? FOLD_WIDTH : MAX_WIDTH;
    const label = clip(node.label, LABEL, widest);
    const sub = clip(node.sub, SUB, widest);
    const wide = TEXT_LEFT + 18 + Math.max(textWidth(label, LABEL), textWidth(sub, SUB));
    made = { label, sub, width: Math.min(widest, Math.max(104, Math.ceil(wide / 24) * 24)) };
    if (measured.size > 4000) measured.clear();
    measured.set(key, made);
  }
  return made;
};
