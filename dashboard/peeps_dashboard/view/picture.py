# SPDX-License-Identifier: Apache-2.0
"""What the graph component is given. One node, one edge, one picture; the TypeScript side has the same names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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


def are_of_one_process(nodes: Iterable[Node]) -> bool:
    return len({node["process"] for node in nodes}) < 2


def draw_node(node: Node, names: Mapping[str, str], *, stuck: bool = False, alone: bool = False) -> PictureNode:
    """`alone`: all of the picture is of one process, so that the box says the line instead."""
    wait = node.get("wait")
    process = names.get(node["process"], node["process"])
    state = [f"waits {wait['age']}"] if wait else ["gone"] if node.get("state") == "gone" else []
    facts = [*state, process]
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
        "sub": " · ".join([*state, _file(wait["short"] if wait else node["short"])] if alone else facts),
        "tone": tone,
        "tip": "\n".join(tip),
    }


def _file(short: str) -> str:
    """A box has no room for folders, and the line number is at the end."""
    return short.rpartition("/")[2]


def draw_edge(kind: str, source: str, target: str, *, label: str | None = None) -> PictureEdge:
    """`label`: words on the line; None takes the usual ones of the kind."""
    if label is None:
        label = _EDGE_LABELS.get(kind, kind.replace("_", " "))
    return {"id": f"{kind}|{source}|{target}", "source": source, "target": target, "kind": kind, "label": label}
