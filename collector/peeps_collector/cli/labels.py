# SPDX-License-Identifier: Apache-2.0
"""What a person calls a node, in the words that the titles of findings use."""

from __future__ import annotations

from typing import Any

from .style import printable

Json = dict[str, Any]

_RUNNABLE = {"task", "thread"}
_KINDS = {"tx": "Queue", "rx": "Queue"}


def label(node_id: str, nodes: dict[str, Json]) -> str:
    """`worker-a`, `Lock db`, `Lock (app.py:9)`; the id where the node is not known."""
    node = nodes.get(node_id)
    if node is None:
        return printable(node_id)
    if node["kind"] in _RUNNABLE:
        said = node["kind"] == "task" or "thread" in node["name"].lower()
        return printable(node["name"] if said else f"thread {node['name']}")
    kind = str(node["attributes"].get("peeps.resource.type", "")).rpartition(".")[2]
    kind = kind or _KINDS.get(node["kind"], node["kind"].capitalize())
    return printable(f"{kind} {node['name']}" if node["name"] else f"{kind} ({node['source']})")


def waits_for(node_id: str) -> str:
    """`waits for`, `waits to put into`, … as it fits the kind of what is waited for."""
    kind = node_id.partition(":")[0]
    if kind in _RUNNABLE:
        return "waits for the end of"
    return {"tx": "waits to put into", "rx": "waits for an item from"}.get(kind, "waits for")
