# SPDX-License-Identifier: Apache-2.0
"""Who waits for what a process must do that says nothing: tasks and threads of others that do not go on without it."""

from __future__ import annotations

from collections import defaultdict

from peeps_otel.diagnosis.wait_links import WAITERS
from peeps_otel.model import EdgeKind, Node

from .view import View

_PROVIDERS = frozenset({EdgeKind.HELD_BY, EdgeKind.RPC_LINK, EdgeKind.HANDLED_BY, EdgeKind.COULD_END})


def behind(view: View, process: str) -> list[str]:
    """Those that have waited longest first. One who waits for several things counts where too few of them could still
    come; a thing that others could end, too, holds nobody up."""
    targets: dict[str, set[str]] = {}
    sources: defaultdict[str, list[str]] = defaultdict(list)
    for node_id, edges in view.out.items():
        node = view.nodes.get(node_id)
        if not edges or node is None or view.owner.get(node_id) == process:
            continue
        waits = node.kind in WAITERS
        found = {edge.dst for edge in edges if (edge.kind is EdgeKind.NEEDS if waits else edge.kind in _PROVIDERS)}
        if found:
            targets[node_id] = found
            for one in found:
                sources[one].append(node_id)
    held_up = {node_id for node_id in sources if view.owner.get(node_id) == process}
    border = list(held_up)
    while border:
        for one in sources[border.pop()]:
            if one not in held_up and _is_held_up(view.nodes[one], targets[one], held_up):
                held_up.add(one)
                border.append(one)
    waiting = [one for one in held_up if one in targets and view.nodes[one].kind in WAITERS]
    return sorted(waiting, key=lambda one: (_since_ns(view.nodes[one]), one))


def _is_held_up(node: Node, targets: set[str], held_up: set[str]) -> bool:
    others = len(targets - held_up)
    if node.kind not in WAITERS:
        return not others
    return node.wait is not None and others < node.wait.needs


def _since_ns(node: Node) -> int:
    return 0 if node.wait is None else node.wait.since_ns
