# SPDX-License-Identifier: Apache-2.0
"""The requests in flight on one connection, with what is known of them beyond the wire."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from .errors import LinkClosed
from .metadata import Metadata
from .methods import Method

RECENT_MOST = 16


@dataclass(slots=True)
class Sent:
    """A request of ours. `answer`: its response's payload. `cancelled`: the caller has gone, the response has not
    come."""

    method: Method
    answer: asyncio.Future[bytes]
    task: asyncio.Task[Any] | None
    span: tuple[int, int] | None
    channels: tuple[int, ...]
    began_ns: int = field(default_factory=time.time_ns)
    cancelled: bool = False
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True)
class Handling:
    """A request of the peer."""

    request_id: int
    method: Method
    metadata: Metadata
    channels: tuple[int, ...]
    task: asyncio.Task[None] | None = None
    span: tuple[int, int] | None = None
    cancelled: bool = False
    began_ns: int = field(default_factory=time.time_ns)


@dataclass(frozen=True, slots=True)
class Over:
    """A request that is over. `out`: of ours."""

    method: str
    out: bool
    duration_ns: int
    ended_ns: int


class Calls:
    """Of one connection. `permits`: one for each request that the peer lets us have in flight; None: none at all."""

    def __init__(self, most: int) -> None:
        self.permits = asyncio.Semaphore(most) if most else None
        self.sent: dict[int, Sent] = {}
        self.handling: dict[int, Handling] = {}
        self.recent: deque[Over] = deque(maxlen=RECENT_MOST)
        self.completed = 0

    def answered(self, request_id: int, payload: bytes) -> None:
        """A response came."""
        sent = self.sent.pop(request_id, None)
        if sent is None:
            return
        self._over(sent.method, True, sent.began_ns)
        self._release(sent)
        if not sent.answer.done():
            sent.answer.set_result(payload)

    def handled(self, request_id: int) -> Handling | None:
        """A response of ours is on its way, or never will be."""
        done = self.handling.pop(request_id, None)
        if done is not None:
            self._over(done.method, False, done.began_ns)
        return done

    def end(self, reason: str) -> list[asyncio.Task[None]]:
        """The connection has ended. The handlers that still run."""
        for sent in self.sent.values():
            self._release(sent)
            if not sent.answer.done():
                sent.answer.set_exception(LinkClosed(reason))
                sent.answer.exception()  # who waits gets it; nobody may wait any more
        self.sent.clear()
        running = [one.task for one in self.handling.values() if one.task is not None]
        self.handling.clear()
        return running

    def _release(self, sent: Sent) -> None:
        if sent.timer is not None:
            sent.timer.cancel()
        if self.permits is not None:
            self.permits.release()

    def _over(self, method: Method, out: bool, began_ns: int) -> None:
        now_ns = time.time_ns()
        self.completed += 1
        self.recent.append(Over(f"{method.service}.{method.name}", out, now_ns - began_ns, now_ns))


def span_ids(span: Any) -> tuple[int, int] | None:
    """Trace id and span id; None where no SDK makes spans."""
    context = span.get_span_context()
    return (context.trace_id, context.span_id) if context.is_valid else None
