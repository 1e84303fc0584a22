# SPDX-License-Identifier: Apache-2.0
"""Threads in a call that wakes by itself now and then: since when they wait for its answer, and until when.

That it is one call and not many one after the other is known by its span, which nobody has ended: a next call has
another one.
"""

from __future__ import annotations

from typing import NamedTuple

from ..model import Node, NodeKind
from ..model.operations import operation as operation_of


class StandingCall(NamedTuple):
    """`source`: `path:line` of the wait. `deadline_ns`: when the call gives up, None: never."""

    span_id: int
    source: str
    since_ns: int
    deadline_ns: int | None


class StandingCalls:
    """For the watcher thread only."""

    def __init__(self) -> None:
        self._before: dict[str, StandingCall] = {}
        self._now: dict[str, StandingCall] = {}

    def of(self, waiter: Node, span_id: int, began_ns: int, now_ns: int) -> StandingCall | None:
        """The call of the span that `waiter` began last; None where it is in none of this kind.

        `began_ns`, `now_ns`: of the span, and of the look.
        """
        wait = waiter.wait
        if waiter.kind is not NodeKind.THREAD or wait is None or not operation_of(wait.operation).asks_outside:
            return None
        call = self._before.get(waiter.id)
        if call is None or (call.span_id, call.source) != (span_id, wait.source):
            # Begun elsewhere, as a future is, it is waited for since it is seen here.
            since_ns = began_ns if self._is_new(waiter.id, span_id) else now_ns
            left_ns = None if wait.deadline_ns is None else wait.deadline_ns - wait.since_ns
            call = StandingCall(span_id, wait.source, since_ns, None if left_ns is None else since_ns + left_ns)
        self._now[waiter.id] = call
        return call

    def done(self) -> None:
        """After all requests of a look."""
        self._before, self._now = self._now, {}

    def _is_new(self, waiter: str, span_id: int) -> bool:
        call = self._before.get(waiter)
        return call is None or call.span_id != span_id
