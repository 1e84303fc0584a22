# SPDX-License-Identifier: Apache-2.0
"""What has moved between two cuts: "0 of 14 tasks advanced in 30 s", and what changed otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..model import Graph, Node, NodeKind
from . import wording
from .wait_links import IDLE, WAITERS


@dataclass(slots=True)
class Progress:
    """Tasks and threads that were there at both cuts, by node id: `advanced` made a step or changed their wait, `still`
    did not, the longest wait first. `started` and `ended`: tasks that were there at one cut only. `changed`: what else
    is not as it was, in plain words, at most `_CHANGES_MOST`.
    """

    advanced: list[str] = field(default_factory=list[str])
    still: list[str] = field(default_factory=list[str])
    started: list[str] = field(default_factory=list[str])
    ended: list[str] = field(default_factory=list[str])
    changed: list[str] = field(default_factory=list[str])


_CHANGES_MOST = 20


def progress(before: Graph, after: Graph) -> Progress:
    """Compares two cuts of the same processes, the later one second. Idle threads are left out.

    A task that runs or is ready to run at both, with no step between them, has not advanced either: its loop may be
    blocked, or it computes.
    """
    found = Progress()
    for node in after.nodes.values():
        if node.kind not in WAITERS:
            continue
        earlier = before.nodes.get(node.id)
        if earlier is None:
            if node.kind is NodeKind.TASK:
                found.started.append(node.id)
        elif node.state == IDLE and earlier.state == IDLE:
            continue
        elif _moved(earlier, node):
            found.advanced.append(node.id)
        else:
            found.still.append(node.id)
    found.ended = [n.id for n in before.nodes.values() if n.kind is NodeKind.TASK and n.id not in after.nodes]
    found.still.sort(key=lambda node_id: (_since(after.nodes[node_id]), node_id))
    found.changed = _changes(before.nodes, after.nodes)
    return found


def sentence(found: Progress, seconds: float) -> str:
    """`0 of 14 tasks advanced in 30 s; 2 started, 1 ended`."""
    compared = [*found.advanced, *found.still]
    tasks = wording.count(len(compared), "task")
    if any(node_id.startswith(f"{NodeKind.THREAD}:") for node_id in compared):
        tasks = f"{len(compared)} tasks and threads"
    text = f"{len(found.advanced)} of {tasks} advanced in {seconds:g} s"
    more = [f"{len(found.started)} started"] if found.started else []
    more += [f"{len(found.ended)} ended"] if found.ended else []
    return "; ".join([text, ", ".join(more)]) if more else text


def _moved(before: Node, after: Node) -> bool:
    if before.steps != after.steps:
        return True
    if before.wait is None or after.wait is None:
        return before.wait is not after.wait or (after.kind is NodeKind.THREAD and before.stack != after.stack)
    one, other = before.wait, after.wait
    return (one.since_ns, one.operation, one.source) != (other.since_ns, other.operation, other.source)


def _since(node: Node) -> int:
    return node.wait.since_ns if node.wait is not None else node.created_at


def _changes(before: Mapping[str, Node], after: Mapping[str, Node]) -> list[str]:
    """The attributes of things that are not tasks or threads: queues that fill, locks that were given back."""
    lines: list[str] = []
    for node in after.values():
        earlier = before.get(node.id)
        if earlier is None or node.kind in WAITERS or node.attributes == earlier.attributes:
            continue
        for name, value in node.attributes.items():
            old = earlier.attributes.get(name)
            if old != value and old is not None:
                lines.append(f"{wording.label(node)}: {name.rpartition('.')[2].replace('_', ' ')} {old} -> {value}")
    return sorted(lines)[:_CHANGES_MOST]
