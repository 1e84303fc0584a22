# SPDX-License-Identifier: Apache-2.0
"""The verdict of a process that never had us: visits until something is found stuck, or for long enough."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple, cast

from ..local.picture import Picture
from ..model.coverage import cannot_judge
from ..model.jsonable import edge_from_json, finding_from_json, node_from_json
from .visit import Visit, Visitor

WAIT_S = 5.0
_SECOND_S = 1.0
_PATIENCE_S = 5.0

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
    pid: int,
    wait_s: float = WAIT_S,
    patience_s: float = _PATIENCE_S,
    stage: Callable[[str], None] = lambda _: None,
) -> Attached:
    """What is stuck in a process. Looks until something is, for `wait_s` seconds at most; twice at least. Blocks.
    Raises Refused, which says why, and then the process is as it was."""
    visitor = Visitor(pid, stage)
    began_s = time.monotonic()
    visits = [visitor.visit(patience_s)]
    second_s = min(_SECOND_S, wait_s) if wait_s else _SECOND_S
    for due_s in (second_s, wait_s):
        _sleep_until(began_s + due_s)
        visits.append(visitor.visit(patience_s))
        picture, text, account = _told(pid, visits[-1])
        if picture.stuck or due_s >= wait_s:
            return Attached(picture, text, account, visits)
    raise AssertionError


def _sleep_until(when_s: float) -> None:
    time.sleep(max(0.0, when_s - time.monotonic()))


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
