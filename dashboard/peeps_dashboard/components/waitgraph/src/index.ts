// SPDX-License-Identifier: Apache-2.0
// The entry Streamlit calls: on mounting and again whenever data or theme change.
import { makeGraphView, type GraphView } from "./view";
import type { ComponentArgs } from "./types";

interface Mounted {
  graphView: GraphView;
  last: string;
}

const mounted = new WeakMap<object, Mounted>();

export default function waitgraph({ data, parentElement, setTriggerValue }: ComponentArgs): (() => void) | undefined {
  if (!data) return undefined;
  const events = {
    select: (id: string) => setTriggerValue("picked", id),
    focus: (id: string) => setTriggerValue("focus", id),
  };
  let here = mounted.get(parentElement);
  if (!here) {
    here = { graphView: makeGraphView(parentElement, events), last: "" };
    mounted.set(parentElement, here);
  }
  here.graphView.events = events;
  // Streamlit hands over equal data on each run: drawing is by content, not by identity.
  const content = JSON.stringify(data);
  if (content !== here.last) {
    here.last = content;
    here.graphView.show(data);
  }
  const { graphView } = here;
  return () => {
    graphView.remove();
    if (mounted.get(parentElement)?.graphView === graphView) mounted.delete(parentElement);
  };
}
