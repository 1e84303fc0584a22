# SPDX-License-Identifier: Apache-2.0
"""The rows of the tasks table."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from ..api import Node, Snapshot
from . import stacks, words

RUNNERS = ("task", "thread")
State = Literal["stuck", "waiting", "running", "gone"]


@dataclass(frozen=True)
class Row:
    """`line`: the text of the line where it waits, empty where that is not known."""

    id: str
    name: str
    kind: str
    state: State
    waits_for: str
    seconds: float | None
    how_long: str
    where: str
    line: str
    process: str
    source: str

    def holds(self, word: str) -> bool:
        texts = (self.name, self.state, self.waits_for, self.where, self.process, self.source, self.kind)
        return any(word in text.lower() for text in texts)


def rows(
    snapshot: Snapshot,
    now_ns: int,
    names: Mapping[str, str],
    *,
    stuck: Collection[str] = (),
    states: Collection[str] = (),
    search: str = "",
) -> list[Row]:
    """Stuck first, then the longest waits, then by name. Every word of `search` must be found in a row."""
    by_id = {n["id"]: n for n in snapshot["nodes"]}
    targets: dict[str, list[str]] = {}
    for edge in snapshot["edges"]:
        if edge["kind"] == "needs":
            targets.setdefault(edge["src"], []).append(edge["dst"])
    made = [
        _row(n, targets.get(n["id"], []), by_id, now_ns, names, stuck)
        for n in snapshot["nodes"]
        if n["kind"] in RUNNERS and not n["telemetry"]
    ]
    wanted = search.lower().split()
    kept = [r for r in made if (not states or r.state in states) and all(r.holds(w) for w in wanted)]
    return sorted(kept, key=lambda r: (r.state != "stuck", -(r.seconds or 0.0), r.name, r.id))


def _row(
    node: Node,
    targets: list[str],
    by_id: Mapping[str, Node],
    now_ns: int,
    names: Mapping[str, str],
    stuck: Collection[str],
) -> Row:
    wait = node.get("wait")
    waits_for = ", ".join(words.label_of(by_id.get(t), t) for t in targets[:3]) + (", …" if len(targets) > 3 else "")
    state: State = "waiting" if wait else "gone" if node.get("state") == "gone" else "running"
    if wait and node["id"] in stuck:
        state = "stuck"
    lasted = now_ns - wait["since_ns"] if wait else None
    return Row(
        id=node["id"],
        name=node["name"],
        kind=node["kind"],
        state=state,
        waits_for=waits_for or (wait["operation"] if wait else ""),
        seconds=None if lasted is None else max(0, lasted) / 1e9,
        how_long=wait["age"] if wait else "",
        where=wait["short"] if wait else stacks.of_node(node).open_at if node.get("stack") else "",
        line=wait.get("text", "") if wait else "",
        process=names.get(node["process"], node["process"]),
        source=node["short"],
    )


def summary(shown: list[Row], snapshot: Snapshot) -> str:
    total = sum(n["kind"] in RUNNERS and not n["telemetry"] for n in snapshot["nodes"])
    text = f"{len(shown):,} of {words.count(total, 'task')} and threads"
    return text + (", of the part of the graph that was answered" if snapshot["truncated"] else "")
