# SPDX-License-Identifier: Apache-2.0
"""Who waits behind a finding, counted as a person counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..model import Edge, EdgeKind, Node, NodeKind, own_line

_CHAIN_MOST = 20
_PEOPLE = ("task:", "thread:")


def as_a_person_counts(
    finding: dict[str, Any], nodes: Mapping[str, Node], out: Mapping[str, Sequence[Edge]]
) -> list[str]:
    """What waits behind it, with one for a task and the task that it awaits: a request is often several. The one in a
    line of the program stands for those of a library that await it."""
    blocked: list[str] = finding["blocked"]
    core = set(finding.get("core", ()))
    members = set(blocked)
    awaited_by: dict[str, list[str]] = {}
    awaits: dict[str, list[str]] = {}
    for one in blocked:
        awaits[one] = [_who_completes(edge.dst, out) for edge in out.get(one, ()) if edge.kind is EdgeKind.NEEDS]
        for target in awaits[one]:
            awaited_by.setdefault(target, []).append(one)

    def is_part_of_another(one: str) -> bool:
        outer = awaited_by.get(one, [])
        return len(outer) == 1 and outer[0] in members and awaits[outer[0]] == [one] and outer[0] != one

    def stands_for(one: str) -> str | None:
        """None for a task of a library that awaits what the finding tells of already."""
        for _ in range(_CHAIN_MOST):
            node = nodes.get(one)
            inner = awaits[one]
            if node is None or node.kind is not NodeKind.TASK or len(inner) != 1 or inner[0] == one:
                return one
            if own_line.innermost(node.stack) is not None or not node.stack:
                return one
            if inner[0] in core and inner[0].startswith(_PEOPLE):
                return None
            if inner[0] not in members or not inner[0].startswith(_PEOPLE):
                return one
            one = inner[0]
        return one

    people = (stands_for(one) for one in blocked if not is_part_of_another(one))
    return list(dict.fromkeys(one for one in people if one is not None))


def _who_completes(one: str, out: Mapping[str, Sequence[Edge]]) -> str:
    """The thread that works on a future, where it is one; else the thing itself."""
    held = [edge.dst for edge in out.get(one, ()) if edge.kind is EdgeKind.HELD_BY] if one.startswith("future:") else []
    return held[0] if len(held) == 1 and held[0].startswith("thread:") else one


def handled_by(ends: Iterable[Node], out: Mapping[str, Sequence[Edge]]) -> dict[str, list[str]]:
    """By who handles them: the names of the requests that have come. `ends`: requests and responses."""
    found: dict[str, list[str]] = {}
    for one in ends:
        if one.kind is NodeKind.RESPONSE:
            for edge in out.get(one.id, ()):
                if edge.kind is EdgeKind.HANDLED_BY:
                    found.setdefault(edge.dst, []).append(one.name)
    return found


def unanswered(finding: dict[str, Any], handled: Mapping[str, Sequence[str]]) -> Counter[str]:
    """By name: the requests whose handlers are in the finding or wait behind it."""
    stuck = dict.fromkeys([*finding.get("core", ()), *finding["blocked"]])
    return Counter(name for one in stuck for name in handled.get(one, ()))
