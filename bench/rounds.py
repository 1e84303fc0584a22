# SPDX-License-Identifier: Apache-2.0
"""Visits the groups in turn until the time is over: a run is a fresh process between two of what it is held against."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

from .groups import Group
from .processes import Failed
from .samples import GroupResult


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def visit_all(
    groups: list[Group], seconds: float, visits_most: int, keep: Callable[[str, GroupResult], None]
) -> dict[str, GroupResult]:
    """Every group is visited once, however long that takes; then again, as long as there is time for the visit.

    `visits_most`: 0: no other limit. `keep` is called with a group's result after each visit.
    """
    began = time.monotonic()
    results: dict[str, GroupResult] = {}
    lasted: dict[str, float] = {}
    number = 0
    waiting = groups
    while waiting:
        for group in waiting:
            start = time.monotonic()
            if number and start + lasted[group.name] > began + seconds:
                lasted[group.name] = float("inf")
                continue
            result = results.setdefault(group.name, GroupResult(date="", samples=[], failed={}))
            _visit(group, number, result)
            lasted[group.name] = time.monotonic() - start
            passed = f"{(time.monotonic() - began) / 60:.1f} of {seconds / 60:.0f} minutes"
            say(f"{group.name}: visit {number + 1} in {lasted[group.name]:.0f} s; {passed}")
            keep(group.name, result)
        number += 1
        limit = visits_most or number + 1
        waiting = [
            group
            for group in waiting
            if lasted[group.name] != float("inf")
            and number < min(limit, group.visits_most or limit)
            and group.beside not in results[group.name]["failed"]
        ]
    return results


def _visit(group: Group, number: int, result: GroupResult) -> None:
    result["date"] = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    before = ""
    for mode in group.order():
        if mode in result["failed"] or mode == before:
            continue
        before = mode
        try:
            result["samples"].append({"visit": number, "mode": mode, "figures": _measured(group, mode)})
        except Failed as failure:
            result["failed"][mode] = str(failure)
            if mode == group.beside:
                return


def _measured(group: Group, mode: str) -> dict[str, float]:
    """Tries twice: a machine may be out of breath for a moment."""
    try:
        return group.measure(mode)
    except Failed as failure:
        say(f"{group.name}: {mode} failed, trying again: {failure}")
    return group.measure(mode)
