# SPDX-License-Identifier: Apache-2.0
"""What is received, and how it is answered; and the budget of bytes that all senders share.

Bounded in bytes, because that is what memory is made of. Where there is no room the sender is told to come again
(OTLP's own backpressure), so nothing is lost silently.
"""

from __future__ import annotations

import threading
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
    what is asked of the sender in turn, where it was one of ours. `retry`: nothing of it was kept, come again."""

    rejected: int = 0
    message: str = ""
    undecodable: bool = False
    ask: str = ""
    retry: bool = False
    wait_s: int = 0
    """With `retry`: it is this sender that is to wait so long, for it is over its quota."""


NO_PROFILES = "profiles are not taken, only traces, metrics and logs; the signal is in development"
"""What is answered to the fourth signal of OTLP."""
RETRY_AFTER_S = 1
"""What a sender is told to wait before it comes again."""


@dataclass(slots=True, eq=False)
class Request:
    """One received request. `body` is already decompressed; `sender`: the connection it came on, whose requests are
    kept in order; `answer` is called once, from any thread. `number`: its place in the journal."""

    signal: Signal
    encoding: Encoding
    body: bytes
    answer: Callable[[Outcome], None] = field(repr=False)
    sender: str = ""
    received_ns: int = 0
    number: int = 0


class Budget:
    """At most `limit` bytes that are being received or wait to be decoded. Thread-safe."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._taken = 0
        self.refused = 0
        """How often there was no room."""

    @property
    def bytes(self) -> int:
        return self._taken

    def take(self, size: int, already: int = 0) -> bool:
        """False where there is no room. Who has `already` taken all that is may go on: one request always fits."""
        with self._lock:
            if self._taken + size > self._limit and self._taken > already:
                self.refused += 1
                return False
            self._taken += size
            return True

    def give(self, size: int) -> None:
        with self._lock:
            self._taken -= size
