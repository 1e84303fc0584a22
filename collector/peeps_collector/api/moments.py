# SPDX-License-Identifier: Apache-2.0
"""The graph as the tables and their filters read it, now and at an earlier moment."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from peeps_otel.model import Level

from ..graph.findings import FindingRegistry
from ..graph.live import LiveGraph
from ..graph.view import View
from ..tables.moment import Moment
from ..tables.process_columns import facts_now, facts_then
from .selection import in_view


def moment_now(live: LiveGraph, findings: FindingRegistry) -> Moment:
    now_ns, view, processes = time.time_ns(), live.view(), live.processes()
    open_ones = [entry.finding for entry in findings.open()]
    certain = [one for one in open_ones if one.level in (Level.PROVEN, Level.LIKELY)]
    stuck = frozenset(member for one in certain for member in (*one.core, *one.blocked))
    facts = {key: facts_now(process) for key, process in processes.items()}
    return Moment(view, now_ns, in_view(view, processes, now_ns), stuck, facts)


def moment_then(live: LiveGraph, view: View, at_ns: int, pictures: Sequence[dict[str, Any]]) -> Moment:
    """`pictures`: see store.past.pictures_at."""
    processes = live.processes()
    facts: dict[str, dict[str, Any]] = {
        picture["id"]: facts_then(processes.get(picture["id"]), picture) for picture in pictures
    }
    return Moment(view, at_ns, in_view(view, processes, at_ns), frozenset(), facts)
