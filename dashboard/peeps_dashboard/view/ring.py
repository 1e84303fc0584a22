# SPDX-License-Identifier: Apache-2.0
"""The picture of a finding: the ring, or the small chain where there is none; everything else folded with a count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ..api import Finding, Node, Snapshot
from . import words
from .picture import Picture, PictureEdge, PictureNode, are_of_one_process, draw_edge, draw_node

# The landing page is read within seconds: past this many the rest is folded.
_CORE_BUDGET = 24
_DRAWN = ("needs", "held_by")
_CALLS = ("request:", "response:")


def of_finding(
    finding: Finding,
    around: Snapshot | None,
    names: Mapping[str, str],
    *,
    selected: str | None,
    height: int,
) -> Picture:
    known: dict[str, Node] = {n["id"]: n for n in (around["nodes"] if around else [])} | finding["nodes"]
    cycle = _from_the_first_waiter(finding) if len(finding["cycle"]) <= _CORE_BUDGET else []
    kept = cycle or _chain(finding)
    alone = are_of_one_process(known[i] for i in kept if i in known)
    nodes = [draw_node(known[i], names, stuck=i in cycle, alone=alone) for i in kept if i in known]
    drawn = {n["id"] for n in nodes}
    edges = _links(finding, cycle, drawn, known, around)
    folds, fold_edges = _folds(finding, around, known, drawn, names, alone)
    return {
        "view": finding["id"],
        "layout": "ring" if cycle else "layered",
        "nodes": nodes + folds,
        "edges": edges + fold_edges,
        "cycle": cycle,
        "total": around["total_nodes"] if around else len(known),
        "selected": selected,
        "height": height,
        "alt": finding["title"],
    }


def _from_the_first_waiter(finding: Finding) -> list[str]:
    """The ring read from the task that the sentence begins with."""
    cycle, links = finding["cycle"], finding["evidence"]
    at = cycle.index(links[0]["waiter"]) if links and links[0]["waiter"] in cycle else 0
    return cycle[at:] + cycle[:at]


def _chain(finding: Finding) -> list[str]:
    """Waiter, resource and holder of each link, as far as the budget goes."""
    order: dict[str, None] = {}
    for link in finding["evidence"]:
        for node_id in (link["waiter"], link["resource"], link["holder"]):
            if node_id is not None:
                order.setdefault(node_id)
    for node_id in finding["core"]:
        order.setdefault(node_id)
    return list(order)[:_CORE_BUDGET]


def _links(
    finding: Finding, cycle: list[str], drawn: set[str], known: Mapping[str, Node], around: Snapshot | None
) -> list[PictureEdge]:
    """Those of the ring, those of the evidence, and how what is drawn beside them belongs to it."""
    made: dict[str, PictureEdge] = {}
    waiters = {link["waiter"] for link in finding["evidence"]}
    for a, b in zip(cycle, cycle[1:] + cycle[:1], strict=True):
        label = None if a in waiters else _held(a, b, finding, known)
        made[a + "|" + b] = draw_edge("needs" if a in waiters else "held_by", a, b, label=label)
    for link in finding["evidence"]:
        resource, holder = link["resource"], link["holder"]
        died = "died with" if link["relation"].startswith("died of ") else None
        made.setdefault(link["waiter"] + "|" + resource, draw_edge("needs", link["waiter"], resource, label=died))
        if holder is not None:
            label = _held(resource, holder, finding, known)
            made.setdefault(resource + "|" + holder, draw_edge("held_by", resource, holder, label=label))
    for edge in around["edges"] if around else []:
        if edge["kind"] in _DRAWN and edge["dst"] + "|" + edge["src"] not in made:
            made.setdefault(edge["src"] + "|" + edge["dst"], draw_edge(edge["kind"], edge["src"], edge["dst"]))
    return [e for e in made.values() if e["source"] in drawn and e["target"] in drawn]


def _held(resource: str, holder: str, finding: Finding, known: Mapping[str, Node]) -> str | None:
    """What stands between a thing and who is to let it go, where that is not that he holds it."""
    if words.is_channel(known.get(resource)):
        return "read by"
    link = next((one for one in finding["evidence"] if (one["resource"], one["holder"]) == (resource, holder)), None)
    if resource.startswith(_CALLS):
        return "handled by"
    does_hold = link is None or link["hold_age"] or link.get("hold_source")
    return None if does_hold else "could be ended by"


def _folds(
    finding: Finding,
    around: Snapshot | None,
    known: Mapping[str, Node],
    drawn: set[str],
    names: Mapping[str, str],
    alone: bool,
) -> tuple[list[PictureNode], list[PictureEdge]]:
    """Who waits behind, one box per thing waited for. A single waiter is drawn by name."""
    behind = [b for b in finding["blocked"] if b not in drawn]
    waits = {
        e["src"]: e["dst"] for e in (around["edges"] if around else []) if e["kind"] == "needs" and e["dst"] in drawn
    }
    direct = Counter(waits[b] for b in behind if b in waits)
    left = max(finding["blocked_count"], len(behind)) - sum(direct.values())
    nodes: list[PictureNode] = []
    edges: list[PictureEdge] = []
    for target, number in direct.most_common():
        members = [b for b in behind if waits.get(b) == target]
        if number == 1 and members[0] in known:
            node = draw_node(known[members[0]], names, alone=alone)
        else:
            some = [words.label_of(known.get(m), m) for m in members[:40]]
            of_threads = all(m.startswith("thread:") for m in members)
            node = _fold(f"fold-{target}", number, some[0] + ", …" if some else "", some, of_threads)
        nodes.append(node)
        edges.append(draw_edge("needs", node["id"], target, label=""))
    if left > 0 and drawn:
        anchor = direct.most_common(1)[0][0] if direct else _usual_target(finding, drawn)
        node = _fold("fold-rest", left, "behind it", [])
        nodes.append(node)
        edges.append(draw_edge("needs", node["id"], anchor, label=""))
    return nodes, edges


def _usual_target(finding: Finding, drawn: set[str]) -> str:
    """Where the waiters of an unknown resource are hung: the first resource of the evidence."""
    return next((link["resource"] for link in finding["evidence"] if link["resource"] in drawn), min(drawn))


def _fold(node_id: str, number: int, sub: str, some: list[str], of_threads: bool = False) -> PictureNode:
    who = "thread" if of_threads else "task"
    label = f"+{number:,} {who} waits" if number == 1 else f"+{number:,} {who}s wait"
    tip = "\n".join([label, *some, *(["…"] if number > len(some) > 0 else [])])
    return {"id": node_id, "kind": "fold", "label": label, "sub": sub, "tone": "fold", "tip": tip}
