# SPDX-License-Identifier: Apache-2.0
"""The verdict of processes that never had us: visits until something is found stuck, or for long enough."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Generator, Iterator, Sequence
from itertools import chain, count, takewhile
from typing import Any, NamedTuple, cast

from ..dump.dump import Dump
from ..local import dumping
from ..local.picture import Picture
from ..model.coverage import cannot_judge
from ..model.jsonable import edge_from_json, finding_from_json, node_from_json
from . import kernel_view
from .refused import Refused
from .visit import Visit, Visitor

_SECOND_S = 1.0
_PATIENCE_S = 5.0
_USUAL_S = (0.0, _SECOND_S, 5.0)
_WHERE_SOMEBODY_STANDS_S = (11.0, 17.0)
"""Verdicts that rest on time are told from ten seconds on, or fifteen."""
_LATER_S = 15.0

Json = dict[str, Any]


class Attached(NamedTuple):
    """`text`: as `peeps why` prints it. `visits`: each copy that was made."""

    picture: Picture
    text: str
    account: str
    visits: list[Visit]

    @property
    def code(self) -> int:
        """1 where something is stuck, 2 where that cannot be judged, else 0."""
        if self.picture.stuck:
            return 1
        return 2 if cannot_judge(self.picture.coverage) else 0


def attach(
    pids: Sequence[int], wait_s: float | None = None, patience_s: float = _PATIENCE_S
) -> dict[int, Attached | Refused]:
    """What is stuck in each process, or why it was left as it was. Looks until something is, for `wait_s` seconds at
    most; twice at least. None: 5 seconds, and 17 where a thread stands still and nobody knows for what. Blocks."""
    found: dict[int, Attached | Refused] = {}
    visits: dict[int, list[Visit]] = {pid: [] for pid in pids}
    visitors = {pid: Visitor(pid) for pid in pids}
    due = list(_moments(wait_s))
    first_s: dict[int, float] = {}
    for number, due_s in enumerate(due):
        for pid in [pid for pid in pids if pid not in found]:
            _until(first_s.get(pid), due_s)
            try:
                visits[pid].append(visitors[pid].visit(patience_s))
            except Refused as error:
                found[pid] = error
                continue
            if not number:
                first_s[pid] = _when(visits[pid][0])
                continue
            seen = _attached(pid, visits[pid])
            enough = wait_s is None and due_s >= _USUAL_S[-1] and not visits[pid][-1].answer["stands"]
            if seen.picture.stuck or enough or number == len(due) - 1:
                found[pid] = seen
    return found


def as_dump(found: Sequence[Attached]) -> Dump:
    """All that was seen, with the text of the lines that matter."""
    return dumping.of_pictures([one.picture for one in found])


def watch(pids: Sequence[int], patience_s: float = _PATIENCE_S) -> Generator[tuple[int, Attached | Refused]]:
    """The same again and again, each process every 15 seconds in the end, until it has ended: then why it is left, and
    the end when all are. A process for which no moment comes is asked the next time. Blocks."""
    visitors = {pid: Visitor(pid) for pid in pids}
    first_s: dict[int, float] = {}
    for number, due_s in enumerate(_moments(math.inf)):
        if not visitors:
            return
        for pid in list(visitors):
            _until(first_s.get(pid), due_s)
            try:
                visit = visitors[pid].visit(patience_s)
            except Refused as error:
                if not number or kernel_view.has_ended(pid):
                    del visitors[pid]
                    yield pid, error
                continue
            first_s.setdefault(pid, _when(visit))
            if number:
                yield pid, _attached(pid, [visit])


def _until(first_s: float | None, due_s: float) -> None:
    if first_s is not None:
        time.sleep(max(0.0, first_s + due_s - time.monotonic()))


def _when(visit: Visit) -> float:
    """When the process was looked at, by the monotonic clock. The next looks come so long after this one: it may have
    taken seconds to find a moment for it, and what two looks just after each other see has stood for milliseconds."""
    return time.monotonic() - (time.time_ns() - visit.at_ns) / 1e9


def _moments(wait_s: float | None) -> Iterator[float]:
    """When to look, in seconds from the first on."""
    usual = chain(_USUAL_S, _WHERE_SOMEBODY_STANDS_S)
    if wait_s is None:
        yield from usual
        return
    later = count(_WHERE_SOMEBODY_STANDS_S[-1] + _LATER_S, _LATER_S)
    yield from takewhile(lambda due_s: due_s < max(wait_s, _SECOND_S), chain(usual, later))
    yield wait_s if wait_s > _SECOND_S else min(_SECOND_S, wait_s or _SECOND_S)


def _attached(pid: int, visits: list[Visit]) -> Attached:
    return Attached(*_told(pid, visits[-1]), visits)


def _told(pid: int, visit: Visit) -> tuple[Picture, str, str]:
    told: Json = json.loads(cast("str", visit.answer["picture"]))
    nodes = [node_from_json(one) for one in told["nodes"]]
    picture = Picture(
        pid,
        told["name"],
        told["directory"],
        told["time_ns"],
        {node.id: node for node in nodes},
        [edge_from_json(one) for one in told["edges"]],
        [finding_from_json(one) for one in told["findings"]],
        told["coverage"],
        told["not_asked"],
        told["came_ns"],
        told["service"],
    )
    return picture, cast("str", visit.answer["text"]), cast("str", visit.answer["account"])
