# SPDX-License-Identifier: Apache-2.0
"""The evidence of calm, and where to look where it is doubtful: what waits longest, and requests that are not answered.
Those alike are one line, with the place first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..api import Node, Rows, Snapshot
from . import tasks
from .columns import Columns
from .stacks import place


@dataclass(frozen=True)
class Waits:
    """Tasks or threads of one process that wait at one line for one thing, having come by one line; within a library,
    where there is no line to look at, for `things`. `row`: who of them has waited longest."""

    row: tasks.Row
    count: int
    came_by: str
    things: frozenset[str]

    @property
    def waits_for(self) -> str:
        return self.row.waits_for if len(self.things) == 1 else f"{len(self.things)} different"


def longest(snapshot: Snapshot, now_ns: int, names: Mapping[str, str], most: int) -> list[Waits]:
    """At most `most`, the longest first."""
    by_id = {node["id"]: node for node in snapshot["nodes"]}
    found: dict[tuple[str, ...], Waits] = {}
    for row in tasks.rows(snapshot, now_ns, names):
        if row.seconds is None:
            continue
        came_by = _came_by(by_id[row.id])
        things = frozenset({row.waits_for})
        key = (row.process, row.where, "" if row.where.startswith("in ") else row.waits_for, came_by)
        before = found.get(key)
        if before is None:
            found[key] = Waits(row, 1, came_by, things)
        else:
            found[key] = replace(before, count=before.count + 1, things=before.things | things)
    return list(found.values())[:most]


def _came_by(node: Node) -> str:
    """The line of the program's own from which it came to the one where it waits; empty where there is none."""
    wait = node.get("wait")
    own = [frame for frame in node.get("stack") or [] if frame.get("own") is not False and frame["line"] is not None]
    here = next((n for n in range(len(own) - 1, 0, -1) if wait and place(own[n]) == wait["source"]), 0)
    return f"{own[here - 1]['short']} in {own[here - 1]['function']}" if here else ""


def table_of_waits(waits: list[Waits]) -> Columns:
    columns: dict[str, list[str | float | None]] = {
        "for": [one.row.how_long for one in waits],
        "where": [one.row.where for one in waits],
        "line": [one.row.line for one in waits],
        "came by": [one.came_by for one in waits],
        "alike": [one.count for one in waits],
        "name": [one.row.name for one in waits],
        "waits for": [one.waits_for for one in waits],
        "process": [one.row.process for one in waits],
    }
    said = {title: values for title, values in columns.items() if any(values)}
    if all(one.count == 1 for one in waits):
        del said["alike"]
    return said


def table_of_requests(answer: Rows, waits: list[Waits]) -> Columns:
    """Empty where all are answered. The text of a line is known where somebody of `waits` is there."""
    rows = answer["rows"]
    texts = {one.row.where: one.row.line for one in waits}
    where = [row["words"].get("site", "") for row in rows]
    columns: dict[str, list[str | float | None]] = {
        "for": [row["words"].get("age", "") for row in rows],
        "which is at": [*where],
        "line": [texts.get(one, "") for one in where],
        "request": [str(row["cells"].get("method", "")) for row in rows],
        "alike": [row["count"] for row in rows],
        "handled in": [str(row["cells"].get("handled") or row["cells"].get("service") or "") for row in rows],
    }
    return {title: values for title, values in columns.items() if any(values)}
