# SPDX-License-Identifier: Apache-2.0
"""The picture of the graph page: the part of the live graph around a node, a finding, or what waits."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from ..api import Finding, Node, Snapshot
from . import words
from .picture import Picture, PictureNode, are_of_one_process, draw_edge, draw_node

LIMIT = 200
# Words on every line are readable up to about this many lines.
_LABELLED_EDGES = 8
# A key and a sign; `work:31` is a place.
_KEYED = re.compile(r"(?:^|\s)-?[a-zA-Z_]+(?:>=|<=|!=|:(?=\D)|[=<>])")
_SHOWN_OF_A_CROWD = 4
FOLD = "fold-"
_CHILDREN = "started-by|"


def of_snapshot(
    snapshot: Snapshot,
    names: Mapping[str, str],
    *,
    view: str,
    selected: str | None,
    stuck: Collection[str] = (),
    keep: str | None = None,
    unfold: str | None = None,
    cycle: Sequence[str] = (),
    height: int,
) -> Picture:
    """At most `LIMIT` nodes, connected ones before lonely ones. `keep` is drawn whatever happens, `unfold` names a node
    whose waiters are all drawn."""
    spared = {keep, selected, *stuck}
    crowds = {t: c for t, c in _crowds(snapshot, spared).items() if t != unfold}
    hidden = {i for crowd in crowds.values() for i in crowd[_SHOWN_OF_A_CROWD:]}
    touching = {end for e in snapshot["edges"] for end in (e["src"], e["dst"])}
    shown = [n for n in snapshot["nodes"] if (n["id"] in touching or n["id"] == keep) and n["id"] not in hidden]
    if not shown:
        shown = list(snapshot["nodes"])
    shown = sorted(shown, key=lambda n: n["id"] != keep)[:LIMIT]
    ids = {n["id"] for n in shown}
    inside = [e for e in snapshot["edges"] if e["src"] in ids and e["dst"] in ids]
    label = None if len(inside) <= _LABELLED_EDGES else ""
    alone = are_of_one_process(shown)
    nodes = [draw_node(n, names, stuck=n["id"] in stuck, alone=alone) for n in shown]
    edges = [draw_edge(e["kind"], e["src"], e["dst"], label=label) for e in inside]
    for key, crowd in crowds.items():
        anchor = key.removeprefix(_CHILDREN)
        if anchor in ids:
            nodes.append(_fold(key, len(crowd) - _SHOWN_OF_A_CROWD))
            ends = (anchor, FOLD + key, "spawned") if anchor != key else (FOLD + key, anchor, "needs")
            edges.append(draw_edge(ends[2], ends[0], ends[1], label=""))
            inside_of = set(crowd[_SHOWN_OF_A_CROWD:])
            waits = {e["src"] for e in snapshot["edges"] if e["kind"] == "needs" and e["dst"] in inside_of}
            edges += [draw_edge("needs", who, FOLD + key, label="") for who in sorted(waits & ids)]
    return {
        "view": view,
        "layout": "layered",
        "nodes": nodes,
        "edges": edges,
        "cycle": list(cycle) if set(cycle) <= ids else [],
        "total": snapshot["total_nodes"],
        "selected": selected,
        "height": height,
        "alt": f"Graph of {words.count(len(shown), 'node')}: who waits for what",
    }


def _who_wait_for_many(snapshot: Snapshot) -> set[str]:
    """Who waits for all of a group: that they are waited for so tells nothing of its members."""
    counts = Counter(edge["src"] for edge in snapshot["edges"] if edge["kind"] == "needs")
    return {src for src, number in counts.items() if number > _SHOWN_OF_A_CROWD + 1}


def _crowds(snapshot: Snapshot, spared: Collection[str | None]) -> dict[str, list[str]]:
    """Per node, those that only wait for it, and those it only started: too many of them tell nothing.

    Longest wait first. The key is the node's id, with a prefix for what it started.
    """
    strong: Counter[str] = Counter()
    gathered = _who_wait_for_many(snapshot)
    every: Counter[str] = Counter()
    target: dict[str, str] = {}
    parent: dict[str, str] = {}
    for edge in snapshot["edges"]:
        ends = (edge["src"], edge["dst"])
        every.update(ends)
        if edge["kind"] in ("needs", "held_by"):
            strong.update(ends[:1] if edge["src"] in gathered else ends)
        if edge["kind"] == "needs":
            target[edge["src"]] = edge["dst"]
        elif edge["kind"] == "spawned":
            parent[edge["dst"]] = edge["src"]
    crowds: dict[str, list[str]] = {}
    for node_id in (n["id"] for n in snapshot["nodes"] if n["id"] not in spared):
        if node_id in target and strong[node_id] == 1:
            crowds.setdefault(target[node_id], []).append(node_id)
        elif node_id in parent and every[node_id] == 1:
            crowds.setdefault(_CHILDREN + parent[node_id], []).append(node_id)
    since = {n["id"]: w["since_ns"] for n in snapshot["nodes"] if (w := n.get("wait"))}
    for crowd in crowds.values():
        crowd.sort(key=lambda i: (i not in since, since.get(i, 0), i))
    return {t: c for t, c in crowds.items() if len(c) > _SHOWN_OF_A_CROWD + 1}


def _fold(key: str, number: int) -> PictureNode:
    label = f"+{number:,} tasks" if key.startswith(_CHILDREN) else f"+{number:,} tasks wait"
    tip = f"{label}\nclick to show them all"
    return {"id": FOLD + key, "kind": "fold", "label": label, "sub": "click to show", "tone": "fold", "tip": tip}


def parted(text: str) -> tuple[str | None, str | None]:
    """Words to search by, or a filter in the language of the tables: which of the two it is."""
    asked = text.strip()
    if not asked:
        return None, None
    return (None, asked) if _KEYED.search(asked) else (asked, None)


def head(finding: str | None, about: Finding | None, filtered: str | None, picture: Picture) -> str:
    """What the picture is of. `finding`: the id of that it is drawn around, `about`: the one that stands above it."""
    if filtered is not None:
        return f"With {filtered}, and what is beside them" if picture["nodes"] else f"Nothing alive passes {filtered}"
    if finding is None or about is None:
        return "All that is alive"
    if about["state"] != "open":
        return "Who was in it when it ended"
    who = "Who is in the ring" if about["cycle"] else "Who is in it"
    return f"{who}, and who waits behind" if about["behind"]["count"] else who


def stuck_ids(findings: Collection[Finding]) -> set[str]:
    """Members of rings and cores that count as stuck: drawn red wherever they appear."""
    return {i for f in findings if words.is_stuck(f["level"]) for i in f["core"]}


def search_label(node: Node, names: Mapping[str, str]) -> str:
    """What the search field shows and finds: name, kind, process, source."""
    return f"{words.label_of(node)} · {node['kind']} · {names.get(node['process'], node['process'])} · {node['short']}"


def search_order(nodes: Collection[Node]) -> list[Node]:
    """Waiting nodes first, then by name."""
    return sorted(nodes, key=lambda n: (n.get("wait") is None, words.label_of(n).lower(), n["id"]))
