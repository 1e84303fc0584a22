# SPDX-License-Identifier: Apache-2.0
"""The bounded queue of received bytes: between the event loop, which only receives, and the thread that decodes.

Bounded in bytes, because that is what memory is made of. When it is full the sender is told to retry (OTLP's own
backpressure), so nothing is lost silently.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum


class Signal(Enum):
    """An OTLP signal; the value is the last part of its HTTP path."""

    TRACES = "traces"
    METRICS = "metrics"
    LOGS = "logs"


class Encoding(Enum):
    """How a request is encoded; the value is its media type."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to a request: `rejected` records with the reason why, or `undecodable` with the reason why. `ask`:
    what is asked of the sender in turn, where it was one of ours."""

    rejected: int = 0
    message: str = ""
    undecodable: bool = False
    ask: str = ""


@dataclass(slots=True)
class Request:
    """One received request. `body` is already decompressed; `answer` is called once, from the decoding thread."""

    signal: Signal
    encoding: Encoding
    body: bytes
    answer: Callable[[Outcome], None] = field(repr=False)


class ByteQueue:
    """First in, first out, at most `limit` bytes. Thread-safe."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: deque[Request] = deque()
        self._bytes = 0
        self._closed = False
        self._changed = threading.Condition()
        self.refused = 0
        """Requests turned away because the queue was full."""

    @property
    def bytes(self) -> int:
        return self._bytes

    def put(self, request: Request) -> bool:
        """False where the queue is full or closed: tell the sender to retry. An empty queue takes any one request."""
        with self._changed:
            if self._closed or (self._items and self._bytes + len(request.body) > self._limit):
                self.refused += 1
                return False
            self._items.append(request)
            self._bytes += len(request.body)
            self._changed.notify()
            return True

    def get(self) -> Request | None:
        """The next request; waits for one. None once the queue is closed and empty."""
        with self._changed:
            while not self._items:
                if self._closed:
                    return None
                self._changed.wait()
            request = self._items.popleft()
            self._bytes -= len(request.body)
            return request

    def close(self) -> None:
        """No more requests; those already taken in are still handed out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
