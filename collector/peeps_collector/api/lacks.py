# SPDX-License-Identifier: Apache-2.0
"""What an answer lacks: of each process how old its picture is and what is not in it, and who has not answered."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..graph.live import LiveGraph
from ..graph.process import SILENT_NS, Process, State
from ..store.past import pictures_at
from ..store.reader import Reader
from .answers import asked_of_database


def lacks(live: LiveGraph, wanted: Collection[str], now_ns: int) -> dict[str, Any]:
    """`processes` and `not_answered` of an answer about now; of `wanted`, all where it is empty."""
    return {
        "processes": [
            {
                "id": key,
                "sequence": sequence_of(process),
                "time_ns": process.time_ns,
                "stale_ns": max(now_ns - (process.pulse_ns or process.last_seen_ns), 0),
                "interval_ns": process.interval_ns,
                "shed": process.shed,
                "dropped": process.dropped,
                "missed": process.missed,
            }
            for key, process in live.processes().items()
            if process.state in {State.LIVE, State.SILENT} and (not wanted or key in wanted)
        ],
        "not_answered": [key for key in live.not_answered() if not wanted or key in wanted],
    }


def lacked(reader: Reader, wanted: Collection[str], at_ns: int) -> dict[str, Any]:
    """The same of an earlier moment, out of the database. Raises ApiError."""
    with asked_of_database("at"):
        return of_pictures(pictures_at(reader, at_ns, sorted(wanted)))


def of_pictures(pictures: list[dict[str, Any]]) -> dict[str, Any]:
    """Where they are read already."""
    late = [one["id"] for one in pictures if one["stale_ns"] > max(3 * one["interval_ns"], SILENT_NS)]
    return {"processes": pictures, "not_answered": late}


def sequence_of(process: Process) -> int:
    return process.sequence or max(process.node_sequence.values(), default=0)
