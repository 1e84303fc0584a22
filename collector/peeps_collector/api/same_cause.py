# SPDX-License-Identifier: Apache-2.0
"""One cause in many processes: findings of the same kind at the same lines, of which one is told in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..graph.process import Process

Json = dict[str, Any]

_NAMED = 5


def mark_same(told: Sequence[Json], processes: Mapping[str, Process]) -> int:
    """Of findings in their order: the first of those alike gets `same_in`, the ids of the other processes, and
    `same_text`; each other one `same_as`, the id of the first. Changes `told`; how many causes there are."""
    first: dict[tuple[object, ...], Json] = {}
    for finding in told:
        cause = _cause(finding)
        one = finding if cause is None else first.setdefault(cause, finding)
        known = {*one["processes"], *one.get("same_in", ())}
        if one is not finding and known.isdisjoint(finding["processes"]):
            finding["same_as"] = one["id"]
            one["same_in"] = [*one.get("same_in", ()), *finding["processes"]]
    for one in told:
        if "same_in" in one:
            one["same_text"] = _text(one["same_in"], processes)
    return sum("same_as" not in finding for finding in told)


def _cause(finding: Json) -> tuple[object, ...] | None:
    """Kind, level and all the lines it names; None where it names none."""
    places = {place for step in finding["evidence"] for place in (step["wait_source"], step["hold_source"]) if place}
    if not places and not finding["look_at"]:
        return None
    return finding["kind"], finding["level"], finding["look_at"], frozenset(places)


def _text(ids: Sequence[str], processes: Mapping[str, Process]) -> str:
    names = [str(processes[one].info) if one in processes else one for one in ids]
    rest = len(names) - _NAMED
    listed = ", ".join(names[:_NAMED]) + (f" and {rest:,} more" if rest > 0 else "")
    how_many = "1 more process" if len(ids) == 1 else f"{len(ids):,} more processes"
    return f"The same at the same lines in {how_many}: {listed}."
