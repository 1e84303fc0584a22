# SPDX-License-Identifier: Apache-2.0
"""Everything about one node: what it is, what it waits for, its stack, its neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..api import AttributeValue, Edge, Node, NodeAnswer
from . import ages, words
from .stacks import Stack, of_node

_OUT = {
    "needs": "waits for",
    "held_by": "held by",
    "spawned": "started",
    "channel_link": "sends to",
    "rpc_link": "answered by",
    "handled_by": "handled by",
    "closed_by": "closed by",
    "touches": "uses",
}
_IN = {
    "needs": "waited for by",
    "held_by": "holds",
    "spawned": "started by",
    "channel_link": "fed by",
    "rpc_link": "answers",
    "handled_by": "handles",
    "closed_by": "closed",
    "touches": "used by",
}


@dataclass(frozen=True)
class Neighbour:
    relation: str
    id: str
    name: str
    kind: str


@dataclass(frozen=True)
class Details:
    id: str
    name: str
    kind: str
    state: str
    facts: list[tuple[str, str]]
    attributes: list[tuple[str, str]]
    stack: Stack | None
    neighbours: list[Neighbour]
    findings: list[tuple[str, str]]
    history: list[tuple[str, str]]
    trace_url: str = ""


def of_answer(answer: NodeAnswer, names: Mapping[str, str]) -> Details:
    node = answer["node"]
    neighbours = [_neighbour(e["dst"], _OUT, e, answer) for e in answer["edges_out"]]
    neighbours += [_neighbour(e["src"], _IN, e, answer) for e in answer["edges_in"]]
    wait = node.get("wait")
    texts = {place: text for finding in answer["findings"] for place, text in (finding.get("sources") or {}).items()}
    return Details(
        id=node["id"],
        name=words.label_of(node),
        kind=node["kind_word"].lower(),
        state=f"waits {wait['age']}" if wait else node.get("state") or "",
        facts=_facts(node, names),
        attributes=_attributes(node),
        stack=of_node(node, texts) if node.get("stack") else None,
        neighbours=sorted(
            neighbours, key=lambda n: (n.relation not in ("waits for", "held by", "holds"), n.relation, n.name)
        ),
        findings=[(f["id"], f"{f['kind_word']}, {f['level']}") for f in answer["findings"]],
        history=[
            (ages.clock(c["time_ns"]), " ".join(filter(None, (c["change"], c.get("state"), c.get("operation")))))
            for c in answer.get("history", [])[-20:]
        ],
        trace_url=trace.get("url", "") if (trace := node.get("trace")) else "",
    )


def _facts(node: Node, names: Mapping[str, str]) -> list[tuple[str, str]]:
    facts = [("process", names.get(node["process"], node["process"])), ("source", node["source"])]
    wait = node.get("wait")
    if wait:
        facts.append(("operation", wait["operation"]))
        facts.append(("waits" if wait["source"].startswith("in ") else "waits at", wait["source"]))
        about = "" if wait.get("exact", True) else " at least"
        facts.append(("waiting for", f"{wait['age']}{about}"))
        if "gives_up_in" in wait:
            facts.append(("gives up", f"in {wait['gives_up_in']}"))
    facts.append(("age", node["age"]))
    return facts


def _attributes(node: Node) -> list[tuple[str, str]]:
    """The canonical attributes as they are on the wire, so that a person finds them again in any backend."""
    pairs: list[tuple[str, AttributeValue]] = [
        ("peeps.node.id", node["id"]),
        ("peeps.created_at", node["created_at"]),
        ("peeps.source", node["source"]),
    ]
    steps = node.get("steps")
    if steps is not None:
        pairs.append(("peeps.task.steps", steps))
    shown = dict(pairs) | (node.get("attributes") or {})
    return [(key, str(value)) for key, value in shown.items()]


def _neighbour(node_id: str, words_of: Mapping[str, str], edge: Edge, answer: NodeAnswer) -> Neighbour:
    node = answer["neighbours"].get(node_id)
    relation = words_of.get(edge["kind"], edge["kind"].replace("_", " "))
    return Neighbour(
        relation, node_id, words.label_of(node, node_id), node["kind"] if node else node_id.partition(":")[0]
    )
