# SPDX-License-Identifier: Apache-2.0
"""How far the clock of a process is ahead of ours, and its nodes with the times of our clock.

The diagnosis compares what a process says with our time: of a host whose clock is ahead nobody would seem to have
waited yet, and nothing in it could be stuck.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from peeps_otel import semconv
from peeps_otel.model import AttributeValue, Edge, Node, Wait

_AHEAD_NS = 100_000_000
_BEHIND_NS = 2_000_000_000
_LATE_MOST = 3
_FAR_NS = 1 << 62
_TIMES = frozenset(
    {
        semconv.POLL_SINCE,
        semconv.POOL_WORKERS_END_SINCE,
        semconv.COULD_END_ASKED,
        semconv.THREAD_CALL_SINCE,
        semconv.LOOP_STALLED_SINCE,
        semconv.LOOP_ASLEEP_SINCE,
        semconv.TASK_STEP_SINCE,
        semconv.IO_UNMOVED_SINCE,
    }
)
"""Attributes of nodes that are times of its clock."""


@dataclass(slots=True)
class OwnClock:
    """`ahead_ns`: of ours; 0 where it agrees as far as can be told. It stays the same until it is certain that it does
    not, for a wait that begins at another time is another wait.

    What comes before its time by our clock is of a clock that is ahead. What comes late may only have been on its way
    for long: three in a row are believed.
    """

    ahead_ns: int = 0
    _late: list[int] = field(default_factory=list[int])

    def note(self, said_ns: int, now_ns: int) -> bool:
        """A snapshot said this time, and came now. Whether `ahead_ns` is another one."""
        ahead_ns = said_ns - now_ns
        if ahead_ns > self.ahead_ns + _AHEAD_NS:
            return self._set(ahead_ns)
        if ahead_ns >= self.ahead_ns - _BEHIND_NS:
            self._late.clear()
            return False
        self._late.append(ahead_ns)
        return len(self._late) >= _LATE_MOST and self._set(max(self._late))

    def _set(self, ahead_ns: int) -> bool:
        self._late.clear()
        before, self.ahead_ns = self.ahead_ns, 0 if -_BEHIND_NS <= ahead_ns <= _AHEAD_NS else ahead_ns
        return self.ahead_ns != before


def by_our_clock(node: Node, edges: tuple[Edge, ...], ahead_ns: int) -> tuple[Node, tuple[Edge, ...]]:
    """`ahead_ns`: how far the clock is ahead that the times of the node are of."""
    if not ahead_ns:
        return node, edges

    def ours(time_ns: int) -> int:
        return min(max(time_ns - ahead_ns, 0), _FAR_NS)

    def about(key: str, value: AttributeValue) -> AttributeValue:
        return ours(value) if key in _TIMES and type(value) is int else value

    wait = node.wait
    if wait is not None:
        deadline_ns = None if wait.deadline_ns is None else ours(wait.deadline_ns)
        wait = Wait(wait.operation, ours(wait.since_ns), wait.source, wait.needs, deadline_ns, wait.exact)
    attributes = {key: about(key, value) for key, value in node.attributes.items()}
    moved = replace(node, created_at=ours(node.created_at), wait=wait, attributes=attributes)
    return moved, tuple([e if e.since_ns is None else replace(e, since_ns=ours(e.since_ns)) for e in edges])
