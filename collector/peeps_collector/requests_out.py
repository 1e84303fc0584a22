# SPDX-License-Identifier: Apache-2.0
"""Requests to processes: each travels in the answer to a process's next snapshot; the process answers by an event.

A process that does not send to us directly never hears of it; that shows as a request without an answer.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

HEADER = b"peeps-request"
LEAKS = "leaks"
ATTENTION = "attention"
CUT = "cut"
END = "end"
_AGAIN_S = 5.0
_FORGET_S = 600.0
_MOST = 1000


@dataclass(slots=True)
class PendingRequest:
    """One request to one process. `answer`: None until there is one. `once`: it gets none, and is not said again.
    Seconds are of the monotonic clock."""

    id: str
    kind: str
    process: str
    asked_s: float
    told_s: float | None = None
    answer: dict[str, Any] | None = None
    once: bool = False

    @property
    def header(self) -> str:
        return f"{self.kind};id={self.id}"


@dataclass(slots=True)
class ProcessRequests:
    """Thread-safe. At most 1000 requests are remembered, each for ten minutes."""

    _asked: dict[str, PendingRequest] = field(default_factory=dict[str, PendingRequest])
    _lock: threading.Lock = field(default_factory=threading.Lock)
    on_ask: Callable[[str], object] = lambda _process: None
    """Called on the asker's thread with the process that is asked."""

    def ask(self, kind: str, process: str) -> PendingRequest:
        """The request, or the one of this kind that the process has not answered yet."""
        now_s = time.monotonic()
        with self._lock:
            self._forget(now_s)
            for asked in self._asked.values():
                if (asked.kind, asked.process) == (kind, process) and asked.answer is None:
                    return asked
            asked = PendingRequest(secrets.token_hex(8), kind, process, now_s)
            self._asked[asked.id] = asked
        self.on_ask(process)
        return asked

    def tell(self, kind: str, process: str, request: str) -> None:
        """A request that is said once and that nobody answers."""
        with self._lock:
            self._forget(time.monotonic())
            self._asked[f"{process}/{request}"] = PendingRequest(request, kind, process, time.monotonic(), once=True)
        self.on_ask(process)

    def header_for(self, processes: Iterable[str]) -> str:
        """What the answer to a snapshot of these processes should carry; empty for nothing."""
        asked = self.due_for(processes)
        return "" if asked is None else asked.header

    def due_for(self, processes: Iterable[str]) -> PendingRequest | None:
        """A request that these processes are to be told now. Said again after 5 s, in case it was lost."""
        now_s = time.monotonic()
        with self._lock:
            if self._asked:
                wanted = set(processes)
                for asked in self._asked.values():
                    due = asked.told_s is None or now_s - asked.told_s > _AGAIN_S
                    if asked.process in wanted and asked.answer is None and due:
                        asked.told_s = now_s
                        if asked.once:
                            asked.answer = {}
                        return asked
        return None

    def answered(self, process: str, request: str, answer: dict[str, Any]) -> None:
        """A process has answered, or a forked copy under its name; what nobody asked for is ignored."""
        with self._lock:
            asked = self._asked.get(request)
            if asked is not None and (asked.process == process or asked.process.startswith(f"{process}/")):
                asked.answer = answer

    def find(self, requests: Iterable[str]) -> list[PendingRequest]:
        """Those of these requests that are remembered."""
        with self._lock:
            return [asked for request in requests if (asked := self._asked.get(request)) is not None]

    def _forget(self, now_s: float) -> None:
        old = [key for key, asked in self._asked.items() if now_s - asked.asked_s > _FORGET_S or _is_over(asked)]
        for request in old + list(self._asked)[: max(0, len(self._asked) - len(old) - _MOST + 1)]:
            self._asked.pop(request, None)


def _is_over(asked: PendingRequest) -> bool:
    return asked.once and asked.answer is not None
