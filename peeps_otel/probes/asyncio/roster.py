# SPDX-License-Identifier: Apache-2.0
"""The tasks that looks have met, in batches: most often nobody of a batch has made a step, and iterators of C tell that
of all of them at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from operator import is_
from typing import Any, cast
from weakref import ref

from ..internals import asyncio_core as internals
from .tasks import TaskRecord

BATCH = 200
_SMALL = BATCH // 4

_DONE = cast("Callable[[object], bool]", cast("Any", asyncio.Future).done)  # their own, whatever a subclass does
_CANCELLING = cast("Callable[[object], int]", cast("Any", asyncio.Task).cancelling)


class Batch:
    """For the watcher thread only. `puts_since_ns`: since when the first of them waits to put into a channel; 0: nobody
    does."""

    __slots__ = ("_first", "_futures", "_requests", "_rest", "puts_since_ns", "records")

    def __init__(self) -> None:
        self.records: list[TaskRecord] = []
        self.puts_since_ns = 0
        self._futures: list[ref[Any]] | None = None
        self._requests: list[int] | None = None  # to cancel; None: nobody was asked
        self._first = self._rest = False  # whether any lacks lines: of those that matter, of the others

    def add(self, record: TaskRecord) -> None:
        self.records.append(record)
        self._futures = None

    def keep(self, records: list[TaskRecord]) -> None:
        """These live, and may have been read."""
        self.records = records
        self._futures = None
        self.puts_since_ns = min((one.puts_since_ns for one in records if one.puts_since_ns), default=0)

    def waits_as_before(self, first: bool, rest: bool) -> bool:
        """Whether none of these needs to be read. `first`, `rest`: whether lines may be resolved, of those that matter,
        of the others."""
        if self._futures is None and not self._learn():
            return False
        if (first and self._first) or (rest and self._rest):
            return False
        try:
            tasks = [record.reference() for record in self.records]
            futures = list(map(internals.waiter_of, cast("list[asyncio.Task[Any]]", tasks)))
            before = [future() for future in self._futures or ()]
            if not all(map(is_, futures, before)) or any(map(_DONE, futures)):
                return False
            requests = map(_CANCELLING, tasks)
            return not any(requests) if self._requests is None else list(requests) == self._requests
        except (AttributeError, TypeError):  # a task is gone, or waits for nothing
            return False

    def _learn(self) -> bool:
        """False where somebody is among them of whom more than the future must be asked."""
        futures: list[ref[Any]] = []
        requests: list[int] = []
        first = rest = False
        for record in self.records:
            if record.future is None or not (record.is_plain or record.is_settled):
                return False
            futures.append(record.future)
            requests.append(record.cancel_requests)
            if not record.is_settled:
                first, rest = first or record.matters, rest or not record.matters
        self._futures, self._first, self._rest = futures, first, rest
        self._requests = requests if any(requests) else None
        return True


class Roster:
    """For the watcher thread only."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def add(self, record: TaskRecord) -> None:
        if not self.batches or len(self.batches[-1].records) >= BATCH:
            self.batches.append(Batch())
        self.batches[-1].add(record)

    def records(self) -> list[TaskRecord]:
        return [record for batch in self.batches for record in batch.records]

    def tidy(self) -> None:
        """After a look in which some have ended: small batches become one."""
        small = [batch for batch in self.batches if len(batch.records) < _SMALL]
        if len(small) < 2:
            return
        self.batches = [batch for batch in self.batches if len(batch.records) >= _SMALL]
        for batch in small:
            for record in batch.records:
                self.add(record)
