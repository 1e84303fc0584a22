# SPDX-License-Identifier: Apache-2.0
"""What the graph component is given. One node, one edge, one picture; the TypeScript side has the same names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypedDict

from ..api import Node
from . import words


class PictureNode(TypedDict):
    id: str
    kind: str
    label: str
    sub: str
    tone: str
    tip: str


class PictureEdge(TypedDict):
    id: str
    source: str
    target: str
    kind: str
    label: str


class Picture(TypedDict):
    view: str
    layout: Literal["ring", "layered"]
    nodes: list[PictureNode]
    edges: list[PictureEdge]
    cycle: list[str]
    total: int
    selected: str | None
    height: int
    alt: str


_EDGE_LABELS = {"needs": "waits for", "held_by": "held by"}


def draw_node(node: Node, names: Mapping[str, str], *, stuck: bool = False) -> PictureNode:
    wait = node.get("wait")
    facts = [names.get(node["process"], node["process"])]
    if wait:
        facts.insert(0, f"waits {wait['age']}")
    elif node.get("state") == "gone":
        facts.insert(0, "gone")
    name = words.label_of(node)
    tip = [f"{node['kind_word']} {node['name']}", *facts]
    if wait:
        at = " " if wait["short"].startswith("in ") else " at "
        tip.append(f"{wait['operation']}{at}{wait['short']}")
    else:
        tip.append(f"from {node['short']}")
    tone = "stuck" if stuck else "gone" if node.get("state") == "gone" else "waiting" if wait else "idle"
    return {
        "id": node["id"],
        "kind": node["kind"],
        "label": name,
        "sub": " · ".join(facts),
        "tone": tone,
        "tip": "\n".join(tip),
    }


def draw_edge(kind: str, source: str, target: str, *, label: str | None = None) -> PictureEdge:
    """`label`: words on the line; None takes the usual ones of the kind."""
    if label is None:
        label = _EDGE_LABELS.get(kind, kind.replace("_", " "))
    return {"id": f"{kind}|{source}|{target}", "source": source, "target": target, "kind": kind, "label": label}
