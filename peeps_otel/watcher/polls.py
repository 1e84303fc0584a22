# SPDX-License-Identifier: Apache-2.0
"""Short timed waits that begin anew in one run of one loop, told as what they are: one wait, a poll.

Whoever asks again and again seems to move, at every look in a new wait. Those that the last look found in such a one
are asked, a few dozen in a look, whether they are in a loop that only asks, and since when in the same run of it. One
that has come out of such a loop before is left out: its waits end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .. import native, semconv
from ..model import AttributeValue, Node, NodeKind
from ..model.operations import operation
from ..probes.poll import Poll, Run
from ..probes.probe import Observation
from .assembly import Difference
from .history import TaskView

_ASKED_MOST = 40  # of either kind in a look
_KNOWN_MOST = 1000
_SITES_MOST = 1000
_TOLD_NS = 5_000_000_000
_AGAIN_NS = 3_000_000_000
_NONE_NS = 60_000_000_000
_FINDING = "peeps_otel.probes.polls"
_Site = tuple[str, str, tuple[tuple[str, str], ...]]


@dataclass(slots=True)
class _Known:
    """Of one that may poll. `seen_ns`: when it was last asked; `ended`: how many runs of its loop were seen to end."""

    site: _Site
    seen_ns: int
    poll: Poll | None = None
    since_ns: int = 0
    ended: int = 0


class Polls:
    """For the watcher thread only. `difference`: what the look before found changed."""

    def __init__(self, tasks: TaskView, difference: Callable[[], Difference]) -> None:
        self._tasks, self._difference = tasks, difference
        self._known: dict[str, _Known] = {}
        self._none: dict[_Site, int] = {}  # where somebody was found not to poll, and when
        self._made: dict[str, tuple[Node, Node]] = {}

    def write(self, observation: Observation, now_ns: int) -> None:
        """Lays over the nodes of a look what is known. `now_ns`: Unix time."""
        difference = self._difference()
        for node in difference.gone:
            self._known.pop(node.id, None)
        for before, node in difference.changed:
            if before is not None and _begins_anew(before, node):
                self._meet(node, now_ns)
        if not self._known:
            self._made = {}
            return
        self._ask(observation.nodes, now_ns)
        made: dict[str, tuple[Node, Node]] = {}
        for node_id, known in self._known.items():
            node = observation.nodes.get(node_id)
            if node is not None and known.poll is not None and self._tells(node, known, now_ns):
                made[node_id] = self._lay(node, known.poll, known.since_ns)
                observation.nodes[node_id] = made[node_id][1]
        self._made = made

    def knows(self, node: Node, poll: Poll, since_ns: int, now_ns: int) -> None:
        """It is in this run, which is known from elsewhere. `node`: of a wait of it, or outside of the program."""
        self._known[node.id] = _Known(("", "", ()), now_ns, poll, since_ns)

    def _meet(self, node: Node, now_ns: int) -> None:
        if node.id in self._known or len(self._known) >= _KNOWN_MOST:
            return
        site = _site(node)
        if now_ns - self._none.get(site, 0) >= _NONE_NS:
            self._known[node.id] = _Known(site, 0)

    def _ask(self, nodes: Mapping[str, Node], now_ns: int) -> None:
        """The ones that were not asked for longest."""
        due = [
            (known.seen_ns, node_id) for node_id, known in self._known.items() if now_ns - known.seen_ns >= _AGAIN_NS
        ]
        threads: dict[int, str] = {}
        tasks: set[str] = set()
        for _, node_id in sorted(due):
            node = nodes.get(node_id)
            if node is None:
                del self._known[node_id]
            elif self._known[node_id].poll is None and node.wait is None:
                continue  # not the wait that it was met in
            elif node.kind is NodeKind.TASK:
                if len(tasks) < _ASKED_MOST and node.wait is not None:
                    tasks.add(node_id)
            elif len(threads) < _ASKED_MOST and type(ident := node.attributes.get(semconv.THREAD_ID)) is int:
                threads[ident] = node_id
        if tasks:
            for node_id, reference in self._tasks.references(tasks).items():
                task: Any = reference()
                run = self._run_of(node_id)
                self._learn(node_id, None if task is None else _finding().of_task(task, run), nodes[node_id], now_ns)
                task = None
        if threads:
            found = _finding().of_threads({ident: self._run_of(node_id) for ident, node_id in threads.items()})
            for ident, node_id in threads.items():
                self._learn(node_id, found.get(ident), nodes[node_id], now_ns)

    def _run_of(self, node_id: str) -> Run | None:
        poll = self._known[node_id].poll
        return None if poll is None else poll.run

    def _learn(self, node_id: str, poll: Poll | None, node: Node, now_ns: int) -> None:
        known = self._known[node_id]
        known.seen_ns = now_ns
        if poll is None:
            if known.poll is None:
                if len(self._none) >= _SITES_MOST:
                    self._none.clear()
                self._none[known.site] = now_ns
                del self._known[node_id]
            else:
                known.poll, known.ended = None, known.ended + 1
        else:
            if known.poll is None or known.poll.run != poll.run:
                known.ended += known.poll is not None
                known.since_ns = now_ns if node.wait is None else min(now_ns, node.wait.since_ns)
            known.poll = poll  # whom it asks may have changed: a lock goes from hand to hand

    @staticmethod
    def _tells(node: Node, known: _Known, now_ns: int) -> bool:
        return known.ended == 0 and now_ns - known.since_ns >= _TOLD_NS and node.state != "idle"

    def _lay(self, node: Node, poll: Poll, since_ns: int) -> tuple[Node, Node]:
        facts: dict[str, AttributeValue] = {semconv.POLL_SINCE: since_ns, semconv.POLL_ASKS: poll.asks.value}
        if poll.at:
            facts[semconv.POLL_AT] = poll.at
        if poll.catches:
            facts[semconv.POLL_CATCHES] = poll.catches
        before = self._made.get(node.id)
        if before is not None and before[0] is node and facts.items() <= before[1].attributes.items():
            return before  # the same object: the assembler tells changes by identity
        return node, replace(node, attributes=node.attributes | facts)


def _finding() -> Any:
    """`probes/polls.py`, loaded when somebody may poll."""
    return native.importing.load(_FINDING)


def _begins_anew(before: Node, node: Node) -> bool:
    """Whether it is in a wait that it was not in before, which is timed, a sleep, or, of a thread, outside of the
    program: of the last two the time is not always told."""
    one, other = before.wait, node.wait
    if other is None or (one is not None and one.since_ns == other.since_ns):
        return False
    is_outside = node.kind is NodeKind.THREAD and node.state == "blocked"
    return other.deadline_ns is not None or is_outside or operation(other.operation).sleeps


def _site(node: Node) -> _Site:
    wait = node.wait
    assert wait is not None
    return wait.operation, wait.source, tuple((frame.file, frame.function) for frame in node.stack)
