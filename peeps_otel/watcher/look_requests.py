# SPDX-License-Identifier: Apache-2.0
"""Somebody asks what is stuck: the asker hears when a look, and what the heap was asked for it, is in the findings."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol


class LookReport(NamedTuple):
    """What a requested look has done. `asked`: waited-on things that the heap was asked about for it; `not_asked`: why
    the heap could not be asked, else empty."""

    asked: int
    not_asked: str


class Heap(Protocol):
    """What is known of questions to the heap: a `HeapQuestion`."""

    @property
    def asked(self) -> int: ...

    @property
    def not_asked(self) -> str: ...

    @property
    def is_under_way(self) -> bool: ...


Done = Callable[[LookReport], None]


class LookRequests:
    """`request` from any thread; `after_look` on the watcher's."""

    def __init__(self) -> None:
        self._new: deque[Done] = deque(maxlen=100)
        self._pending: list[tuple[Done, int]] = []

    def request(self, done: Done) -> None:
        """`done` is called on the watcher's thread, after a look that began after this call and, where that look asked
        the heap, after the one that has its answer."""
        self._new.append(done)

    def before_look(self, heap: Heap | None) -> None:
        """A look begins: what was requested by now is of it."""
        asked = 0 if heap is None else heap.asked
        while self._new:
            self._pending.append((self._new.popleft(), asked))

    def after_look(self, heap: Heap | None) -> None:
        if not self._pending or (heap is not None and heap.is_under_way):
            return
        pending, self._pending = self._pending, []
        for done, asked_before in pending:
            done(LookReport(0, "") if heap is None else LookReport(heap.asked - asked_before, heap.not_asked))
