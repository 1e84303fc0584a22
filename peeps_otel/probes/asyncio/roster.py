# SPDX-License-Identifier: Apache-2.0
"""The tasks that looks have met, in batches: most often nobody of a batch has made a step, and iterators of C tell that
of all of them at once, or who has."""

from __future__ import annotations

import asyncio
from bisect import bisect
from collections.abc import Callable
from itertools import compress, count
from operator import is_not
from typing import Any, cast

from ..internals import asyncio_core as internals
from .task_record import TaskRecord

BATCH = 200
_SMALL = BATCH // 4

_GONE = object()


def _always() -> object:
    """In place of the future of one that is to be read at each look."""
    return _GONE


_DONE = cast("Callable[[object], bool]", cast("Any", asyncio.Future).done)  # their own, whatever a subclass does
_CANCELLING = cast("Callable[[object], int]", cast("Any", asyncio.Task).cancelling)


class Batch:
    """For the watcher thread only. `puts_since_ns`: since when the first of them waits to put into a channel; 0: nobody
    does."""

    __slots__ = ("_first", "_futures", "_requests", "_rest", "puts_since_ns", "records")

    def __init__(self) -> None:
        self.records: list[TaskRecord] = []
        self.puts_since_ns = 0
        self._futures: list[Callable[[], Any]] | None = None
        self._requests: list[int] = []  # to cancel
        self._first = self._rest = False  # whether any lacks lines: of those that matter, of the others

    def add(self, record: TaskRecord) -> None:
        self.records.append(record)
        self._futures = None

    def changed(self, first: bool, rest: bool) -> list[int]:
        """The places of those that need to be read, or may. `first`, `rest`: whether lines may be resolved, of those
        that matter, of the others."""
        if self._futures is None:
            self._learn()
        others = self._moved()
        if len(others) == len(self.records) or not ((first and self._first) or (rest and self._rest)):
            return others
        lacking = [(place, one.matters) for place, one in enumerate(self.records) if not one.is_settled]
        self._first = any(matters for _, matters in lacking)
        self._rest = not all(matters for _, matters in lacking)
        return sorted({*others, *(place for place, matters in lacking if (first if matters else rest))})

    def _moved(self) -> list[int]:
        tasks: list[Any] = [record.reference() for record in self.records]
        before: list[Any] = [future() for future in self._futures or ()]
        try:
            return self._others(tasks, list(map(internals.waiter_of, tasks)), before)
        except (AttributeError, TypeError):  # one is gone, or waits for nothing, now or before
            pass
        before = [_GONE if one is None else one for one in before]
        try:
            return self._others(tasks, [None if one is None else internals.waiter_of(one) for one in tasks], before)
        except (AttributeError, TypeError):
            return self._all()

    def _others(self, tasks: list[Any], futures: list[Any], before: list[Any]) -> list[int]:
        """The places of those that wait for another future; all, where of one that does not more must be asked."""
        requests: list[int] = self._requests
        others = list(compress(count(), map(is_not, futures, before)))
        if others:
            where = set(others)
            same = [place for place in range(len(tasks)) if place not in where]
            tasks, futures = [tasks[place] for place in same], [futures[place] for place in same]
            requests = [requests[place] for place in same]
        if any(map(_DONE, futures)) or list(map(_CANCELLING, tasks)) != requests:
            return self._all()
        return others

    def _all(self) -> list[int]:
        return list(range(len(self.records)))

    def keep(self, places: list[int], living: list[TaskRecord]) -> list[TaskRecord]:
        """Of the records at these places those live, and may have been read. Returns the others, which are none of it
        any more."""
        records = self.records
        ended: list[TaskRecord] = []
        if len(living) < len(places):
            ids = set(map(id, living))
            gone = [place for place in places if id(records[place]) not in ids]
            ended = [records[place] for place in gone]
            stay = (place for place in places if id(records[place]) in ids)
            places = [place - bisect(gone, place) for place in stay]
            for place in reversed(gone):
                del records[place]
                if self._futures is not None:
                    del self._futures[place], self._requests[place]
        if len(places) > len(records) // 2:
            self._futures = None
        elif self._futures is not None:
            for place in places:
                self._futures[place] = self._future_of(records[place])
                self._requests[place] = records[place].known().cancel_requests
        self.puts_since_ns = min((one.puts_since_ns for one in records if one.puts_since_ns), default=0)
        return ended

    def _future_of(self, record: TaskRecord) -> Callable[[], Any]:
        if record.future is None or not (record.is_plain or record.is_settled):
            return _always
        if not record.is_settled:
            self._first, self._rest = self._first or record.matters, self._rest or not record.matters
        return record.future

    def _learn(self) -> None:
        self._first = self._rest = False
        self._futures = [self._future_of(record) for record in self.records]
        self._requests = [record.known().cancel_requests for record in self.records]


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
