# SPDX-License-Identifier: Apache-2.0
"""The rows of each table of `peeps top`, made of the answers of the query API, as wide as the terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from peeps_otel.report.style import printable

from ..cli.client import Client

Json = dict[str, Any]

_LOCKS = frozenset({"lock", "semaphore", "condition", "event", "barrier"})
_POOLS = frozenset({"executor", "tx", "rx"})
_NEVER = 1 << 63
_LEAST = 8


@dataclass(frozen=True, slots=True)
class Row:
    """`key`: the id of what Enter shows, a node or a finding."""

    key: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """`spare`: the column that gives its room first, and is cut at its beginning: a path is known by its end."""

    header: tuple[str, ...]
    rows: list[Row]
    spare: int

    def fitted(self, width: int) -> list[Row]:
        """Its rows, cut so that a line of it has `width` columns at most where that can be read."""
        lines = [self.header, *(row.cells for row in self.rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.header))]
        room = max(width - 2 * len(widths) - 2, 0)
        while sum(widths) > room:
            widest = max(range(len(widths)), key=lambda column: widths[column])
            if widths[widest] <= _LEAST:
                break
            widths[widest] -= 1
        return [Row(row.key, tuple(map(self._cut, row.cells, widths, range(len(widths))))) for row in self.rows]

    def _cut(self, text: str, width: int, column: int) -> str:
        if len(text) <= width:
            return text
        return f"…{text[len(text) - width + 1 :]}" if column == self.spare else f"{text[: width - 1]}…"


@dataclass(frozen=True, slots=True)
class Picture:
    """All that is shown at one moment. `level`: of the verdict, empty where nothing is found."""

    sentence: str
    level: str
    findings: Table
    tasks: Table
    locks: Table
    pools: Table
    requests: Table


def taken(client: Client, process: str | None) -> Picture:
    """Raises ClientError."""
    ids = client.process_ids(process)
    findings = client.get("/api/findings", process=ids)
    snapshot = client.get("/api/snapshot", process=ids, limit="20000")
    calls = client.get("/api/calls", process=ids, limit="200")
    return pictured(findings, snapshot, calls)


def pictured(findings: Json, snapshot: Json, calls: Json) -> Picture:
    """Of the answers to GET /api/findings, /api/snapshot and /api/calls."""
    things = _Things(snapshot)
    verdict: Json = findings["verdict"]
    return Picture(
        printable(verdict["sentence"]),
        verdict["level"] or "",
        _findings(findings["findings"]),
        things.tasks(),
        things.resources(_LOCKS),
        things.resources(_POOLS),
        _requests(calls["calls"]),
    )


def _findings(found: Sequence[Json]) -> Table:
    rows = [
        Row(
            one["id"], _cells(one["level"], one["age"], one["title"], str(one["behind"]["count"]), one["look_at_short"])
        )
        for one in found
    ]
    return Table(("LEVEL", "SINCE", "WHAT", "BEHIND", "OPEN"), rows, 4)


def _requests(calls: Sequence[Json]) -> Table:
    rows = [Row(_first(call, "handler", "waiter", "request"), _cells(call["age"], call["text"])) for call in calls]
    return Table(("AGE", "REQUEST"), rows, -1)


def _first(call: Json, *names: str) -> str:
    return next((str(call[name]) for name in names if call[name]), "")


class _Things:
    """The nodes and edges of a snapshot."""

    def __init__(self, snapshot: Json) -> None:
        self._nodes: dict[str, Json] = {node["id"]: node for node in snapshot["nodes"]}
        self._needs: dict[str, list[str]] = {}
        self._needed_by: dict[str, int] = {}
        self._held_by: dict[str, list[str]] = {}
        for edge in snapshot["edges"]:
            if edge["kind"] == "needs":
                self._needs.setdefault(edge["src"], []).append(edge["dst"])
                self._needed_by[edge["dst"]] = self._needed_by.get(edge["dst"], 0) + 1
            elif edge["kind"] == "held_by":
                self._held_by.setdefault(edge["src"], []).append(edge["dst"])

    def tasks(self) -> Table:
        """Those that wait at one line for one thing in one row, the longest wait first."""
        groups: dict[tuple[Any, ...], list[Json]] = {}
        for node in self._nodes.values():
            if node["kind"] in ("task", "thread") and not node["telemetry"]:
                groups.setdefault(self._alike(node), []).append(node)
        members = sorted(groups.values(), key=lambda group: min(map(_since, group)))
        rows = [self._row(group) for group in members]
        return Table(("N", "NAME", "WAITS FOR", "SINCE", "WHERE"), rows, 4)

    def resources(self, kinds: frozenset[str]) -> Table:
        """Of these kinds, those that most wait for first."""
        found = [node for node in self._nodes.values() if node["kind"] in kinds]
        found.sort(key=lambda node: (-self._needed_by.get(node["id"], 0), -len(self._held_by.get(node["id"], ()))))
        rows = [
            Row(
                node["id"],
                _cells(
                    node["label"],
                    str(self._needed_by.get(node["id"], 0)),
                    ", ".join(self._label(one) for one in self._held_by.get(node["id"], ())),
                    node["state"] or "",
                    node["short"],
                ),
            )
            for node in found
        ]
        return Table(("NAME", "WAITING", "HELD BY", "STATE", "MADE AT"), rows, 4)

    def _alike(self, node: Json) -> tuple[Any, ...]:
        wait: Json | None = node["wait"]
        if wait is None:
            return (node["id"],)
        own = {"future", "timer", "io", "task"}
        shared = sorted(one for one in self._needs.get(node["id"], ()) if one.partition(":")[0] not in own)
        return (node["process"], wait["operation"], wait["source"], *shared)

    def _row(self, group: list[Json]) -> Row:
        node = min(group, key=_since)
        wait: Json = node["wait"] or {}
        things = [self._label(one) for one in self._needs.get(node["id"], ())]
        target = things[0] if len(things) == 1 else f"{wait.get('needs', 0)} of {len(things)}" if things else ""
        doing = f"{wait['operation']} {target}".strip() if wait else node["state"] or ""
        cells = _cells(str(len(group)), node["label"], doing, wait.get("age", ""), wait.get("short") or node["short"])
        return Row(node["id"], cells)

    def _label(self, node_id: str) -> str:
        node = self._nodes.get(node_id)
        return node_id.partition(":")[0] if node is None else str(node["label"])


def _since(node: Json) -> int:
    return node["wait"]["since_ns"] if node["wait"] else _NEVER


def _cells(*texts: str) -> tuple[str, ...]:
    return tuple(map(printable, texts))


TABLES: dict[str, Callable[[Picture], Table]] = {
    "Findings": lambda picture: picture.findings,
    "Tasks": lambda picture: picture.tasks,
    "Locks": lambda picture: picture.locks,
    "Pools": lambda picture: picture.pools,
    "Requests": lambda picture: picture.requests,
}
"""The tabs, in their order."""
