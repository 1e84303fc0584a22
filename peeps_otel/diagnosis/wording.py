# SPDX-License-Identifier: Apache-2.0
"""Findings in plain words. No ages in here: a title must not change while nothing else does."""

from __future__ import annotations

import re

from ..model import EdgeKind, Link, Node, NodeKind
from .wait_graph import WAITERS, WaitGraph

_LABELS = {
    NodeKind.LOCK: "Lock",
    NodeKind.SEMAPHORE: "Semaphore",
    NodeKind.EVENT: "Event",
    NodeKind.CONDITION: "Condition",
    NodeKind.BARRIER: "Barrier",
    NodeKind.TX: "Queue",
    NodeKind.RX: "Queue",
}


def label(node: Node | None) -> str:
    """What a person calls the node: a task by its name, a resource by its type and name, or where it was made."""
    if node is None:
        return "something that is gone"
    if node.kind in WAITERS:
        return node.name
    kind = str(node.attributes.get("peeps.resource.type", "")).rpartition(".")[2] or _LABELS.get(node.kind, node.kind)
    if not node.name:
        return f"{kind} ({short(node.source)})"
    return node.name if node.name.lower().startswith(f"{kind.lower()} ") else f"{kind} {node.name}"


def short(source: str) -> str:
    """`a/b/c/d.py:7` to `c/d.py:7`: enough to find the line, short enough to read."""
    path, separator, line = source.rpartition(":")
    return "/".join(path.replace("\\", "/").split("/")[-2:]) + separator + line


def several(names: list[str], most: int = 3) -> str:
    """`a`, `a and b`, `a, b, c and 4 more`."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def waits_for(graph: WaitGraph, waiter: str, target: str) -> str:
    """`waits for Lock db`, `waits to put into Queue work (16/16)`, `awaits worker-b`."""
    node = graph.nodes.get(target)
    name = label(node)
    if node is None or node.kind in WAITERS:
        return f"waits for the end of {name}"
    if node.kind is NodeKind.TX:
        length, capacity = node.attributes.get("peeps.channel.length"), node.attributes.get("peeps.channel.capacity")
        return f"waits to put into {name} ({length}/{capacity})" if capacity else f"waits to put into {name}"
    if node.kind is NodeKind.RX and graph.wait_of(waiter).operation == "queue.join":
        return f"waits until everything put into {name} is done"
    if node.kind is NodeKind.RX:
        return f"waits for an item from {name}"
    return f"waits for {name}"


def link(graph: WaitGraph, waiter: str, resource: str, holder: str | None) -> Link:
    """One step of the evidence with its sentence."""
    wait = graph.wait_of(waiter)
    text = f"{label(graph.nodes[waiter])} {waits_for(graph, waiter, resource)}"
    text += _at(" at", wait.source, text)
    held = None if holder is None else graph.edge_of.get((resource, holder, EdgeKind.HELD_BY))
    if holder is not None and held is not None:
        text += f"; {label(graph.nodes.get(holder))} holds it"
        if held.source:
            text += _at(", taken at", held.source, text)
    elif holder is not None and holder != resource:
        text += f"; {label(graph.nodes.get(holder))} could take from it"
    return Link(
        waiter=waiter,
        resource=resource,
        holder=holder,
        since_ns=wait.since_ns,
        text=text,
        wait_source=wait.source,
        hold_since_ns=None if held is None else held.since_ns,
        hold_source=None if held is None else held.source,
    )


def _at(preposition: str, source: str, text: str) -> str:
    """Where it happens, unless `text` has said so already."""
    place = short(source)
    return f"{preposition} {place}" if place and not re.search(rf"{re.escape(place)}(?!\d)", text) else ""


def deadlock_title(graph: WaitGraph, ring: list[Link]) -> str:
    """`a waits for Lock x, held by b, which waits for Lock y, held by a`."""
    if len(ring) > 4:
        names = [label(graph.nodes.get(step.waiter)) for step in ring]
        return f"{len(ring)} tasks wait for each other in a ring: {several(names, 4)}"
    parts: list[str] = []
    for number, step in enumerate(ring):
        subject = label(graph.nodes.get(step.waiter)) if number == 0 else "which"
        part = f"{subject} {waits_for(graph, step.waiter, step.resource)}"
        if step.holder is not None and step.holder != step.resource:
            node = graph.nodes.get(step.resource)
            owner = "itself" if len(ring) == 1 else label(graph.nodes.get(step.holder))
            part += f", which only {owner} can drain" if node and node.kind is NodeKind.TX else f", held by {owner}"
        parts.append(part)
    return ", ".join(parts)
