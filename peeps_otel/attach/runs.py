# SPDX-License-Identifier: Apache-2.0
"""Runs in the copy: who goes round a loop that only asks whether it may end, and whether that is the same run of it as
at the visit before. Such a one has moved, and is in one wait all the same."""

from __future__ import annotations

from typing import NamedTuple

from ..looking import Looking
from ..model import Node, NodeKind, Snapshot
from ..model.operations import operation
from ..probes import poll_marks
from ..probes.poll import Poll
from ..probes.polls import WHOLE
from ..semconv import THREAD_ID

_ASKED_MOST = 200
_IDLE = "idle"
MOVES = "~"
"""Begins the state of who has moved: it may be said of it where it is, but not that it has stood still. A loop of the
program's own may have ended and begun anew meanwhile, with nothing in sight that tells; a call of a library has set
something of its own, the time at which it began for one."""


class _Run(NamedTuple):
    poll: Poll
    state: str


class Runs:
    """Of one copy, after its first look."""

    def __init__(self, looking: Looking, snapshot: Snapshot) -> None:
        self._looking = looking
        asked = [node for node in snapshot.nodes if _may(node)][:_ASKED_MOST]
        self._found = self._of_threads(asked) | self._of_tasks(asked)

    @property
    def states(self) -> dict[str, str]:
        """By node."""
        return {node_id: run.state for node_id, run in self._found.items()}

    def tell(self, snapshot: Snapshot, stood: set[str], since_ns: int) -> None:
        """Lets the watcher know of those of them that are the runs of before."""
        for node in snapshot.nodes:
            if node.id in self._found and node.id in stood:
                self._looking.watcher.knows_poll(node, self._found[node.id].poll, since_ns)

    def _of_threads(self, asked: list[Node]) -> dict[str, _Run]:
        idents = {ident: one.id for one in asked if type(ident := one.attributes.get(THREAD_ID)) is int}
        found = poll_marks.of_thread_idents(idents) if idents else {}
        return {idents[ident]: _run(poll, mark) for ident, (poll, mark) in found.items()}

    def _of_tasks(self, asked: list[Node]) -> dict[str, _Run]:
        found: dict[str, _Run] = {}
        tasks = {one.id for one in asked if one.kind is NodeKind.TASK}
        for node_id, reference in self._looking.objects.tasks(tasks).items():
            task = reference()
            run = None if task is None else poll_marks.of_suspended(task)
            if run is not None:
                found[node_id] = _run(*run)
        return found


def _may(node: Node) -> bool:
    wait = node.wait
    how = None if wait is None else operation(wait.operation)
    timed = wait is not None and wait.deadline_ns is not None
    timed = timed or (how is not None and (how.sleeps or how.polls or how.asks_outside))
    if node.kind is NodeKind.TASK:
        return timed
    return node.kind is NodeKind.THREAD and (timed or (wait is None and node.state != _IDLE))


def _run(poll: Poll, mark: int) -> _Run:
    certain = "" if poll.run[-1] == WHOLE else MOVES
    return _Run(poll, f"{certain}asks {mark:x} {poll.at}")
