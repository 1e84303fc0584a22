# SPDX-License-Identifier: Apache-2.0
"""The verdict of an earlier moment, with what is known now: what was stuck then, over the graph as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from peeps_otel.model import Level
from peeps_otel.model.coverage import cannot_judge
from peeps_otel.report.calm import Waits
from peeps_otel.report.sentences import Calm, verdict_sentence
from peeps_otel.report.shown import Shown

from ..graph.process import GONE_NS, SILENT_NS, Process

Json = dict[str, Any]

_FIRST = "first look pending: what it did had not been seen twice yet"


def told_then(found: Sequence[Json], shown: Shown) -> list[Json]:
    """The findings in words as of then. What is kept of one that has ended is used for nothing but the text of lines:
    its nodes are those of the moment."""
    told: list[Json] = []
    for finding in found:
        sources: Json = finding.get("sources") or {}
        one = shown.finding({key: value for key, value in finding.items() if key != "nodes"} | {"state": "open"})
        told.append(one | {"sources": sources | (one.get("sources") or {})})
    return told


def silent_then(pictures: Sequence[Json]) -> tuple[list[Json], list[str]]:
    """The last pictures of those that were heard of, and the ids of those that had not been for too long. Who was gone
    is in neither."""
    late = {p["id"] for p in pictures if p["stale_ns"] > max(3 * p["interval_ns"], SILENT_NS)}
    heard = [picture for picture in pictures if picture["id"] not in late]
    return heard, [p["id"] for p in pictures if p["id"] in late and p["stale_ns"] <= GONE_NS]


def verdict_then(
    told: Sequence[Json],
    heard: Sequence[Json],
    not_answered: Sequence[str],
    processes: Mapping[str, Process],
    waits: Waits,
    forgotten: bool,
) -> Json:
    """`forgotten`: there were more findings since than are remembered, so that none may be concluded from."""
    blind: list[Json] = []
    for picture in heard:
        name = str(processes[picture["id"]].info) if picture["id"] in processes else str(picture["id"])
        notes = cannot_judge(picture["coverage"]) + ([_FIRST] if picture["sequence"] < 2 else [])
        blind += [{"process": picture["id"], "name": name, "note": note} for note in notes]
    if forgotten and not told:
        blind.append({"process": "", "name": "the collector", "note": "findings of that long ago are not remembered"})
    calm: Calm = waits.calm(len(not_answered))
    verdict: Json = {"stuck": False, "level": None, "connected": bool(heard or not_answered), "cannot_judge": blind}
    if told:
        level = Level(told[0]["level"])
        verdict |= {"stuck": level.stuck, "level": level.value}
    if not told and not verdict["connected"]:
        return verdict | {"sentence": "No program was connected then."}
    unseen = [(one["name"], one["note"]) for one in blind]
    return verdict | {"sentence": verdict_sentence(told[0] if told else None, len(told), unseen, calm)}
