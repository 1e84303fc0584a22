// SPDX-License-Identifier: Apache-2.0
// The entry Streamlit calls: on mounting and again whenever data or theme change.
import { makeBoard, type Board } from "./board";
import type { ComponentArgs } from "./types";

interface Mounted {
  board: Board;
  last: string;
}

const mounted = new WeakMap<object, Mounted>();

export default function waitgraph({ data, parentElement, setTriggerValue }: ComponentArgs): (() => void) | undefined {
  if (!data) return undefined;
  const talk = {
    select: (id: string) => setTriggerValue("picked", id),
    focus: (id: string) => setTriggerValue("focus", id),
  };
  let here = mounted.get(parentElement);
  if (!here) {
    here = { board: makeBoard(parentElement, talk), last: "" };
    mounted.set(parentElement, here);
  }
  here.board.talk = talk;
  // Streamlit hands over equal data on each run: drawing is by content, not by identity.
  const content = JSON.stringify(data);
  if (content !== here.last) {
    here.last = content;
    here.board.show(data);
  }
  const { board } = here;
  return () => {
    board.remove();
    if (mounted.get(parentElement)?.board === board) mounted.delete(parentElement);
  };
}
