# SPDX-License-Identifier: Apache-2.0
"""What a suspended task waits for: recognised by the code object of its innermost coroutine.

Not recognised means shown as what it is (a future of some type), never guessed.
"""

from __future__ import annotations

import asyncio
from types import CodeType
from typing import Any

from ...model.operations import operation
from ..internals.await_chain import SuspendedFrame
from ..library import Place, TaskWait, Waiting, first_of
from ..library_registry import LibraryRegistry
from ..source import own_code
from .socket_waits import of_library
from .wait_targets import of_future

_FUTURE, _SHIELD = operation("future"), operation("shield")

_ANYWHERE_LINKS = 5
_AROUND_LINKS = 3


class Classifier:
    """Knows the coroutine functions of all active libraries by identity. Keyed by `id(code)`: hashing a code object
    walks its bytecode. For the watcher thread only."""

    def __init__(self, libraries: LibraryRegistry) -> None:
        self._libraries = libraries
        self.revision = -1
        """Of the libraries: what followed from less may be wrong."""
        self._anywhere: dict[int, tuple[str, TaskWait]] = {}
        self._around_others: set[int] = set()
        self._inner: dict[int, TaskWait] = {}
        self._around: dict[int, TaskWait] = {}
        self._polls: dict[int, tuple[str, TaskWait]] = {}
        self.refresh()

    def refresh(self) -> None:
        """Takes in what the registry has learned since. Cheap to ask again."""
        if self.revision == self._libraries.revision:
            return
        self.revision = self._libraries.revision
        for name, row in self._libraries.task_waits:  # the registry keeps the codes, hence their identities
            if row.operation.polls:
                self._polls[id(row.code)] = (name, row)
            elif row.place in (Place.ANYWHERE, Place.AROUND_OTHERS):
                self._anywhere[id(row.code)] = (name, row)
                if row.place is Place.AROUND_OTHERS:
                    self._around_others.add(id(row.code))
            else:
                (self._inner if row.place is Place.INNERMOST else self._around)[id(row.code)] = row

    def classify(self, links: list[SuspendedFrame], future: asyncio.Future[Any]) -> Waiting:
        """`links`: the chain of awaits, outermost first; `future`: what the task is suspended on."""
        poll = self.poll(links)
        if poll is not None:
            return self._read(self._polls[id(poll.code)], links, poll, future) or of_future(future)
        if self._anywhere:
            for link in self._in_order(links[-_ANYWHERE_LINKS:]):
                entry = self._anywhere.get(id(link.code))
                found = None if entry is None else self._read(entry, links, link, future)
                if found is not None:
                    return _of_peer(links, found)
        if links:
            inner = self._inner.get(id(links[-1].code))
            if inner is not None:
                for link in links[-_AROUND_LINKS - 1 : -1]:
                    around = self._around.get(id(link.code))
                    if around is not None:
                        return around.read(links, link, future) or of_future(future)
                return inner.read(links, links[-1], future) or of_future(future)
        return self._of_library(links, future) or _of_peer(links, of_future(future))

    def _of_library(self, links: list[SuspendedFrame], future: asyncio.Future[Any]) -> Waiting | None:
        """What a library says of a future that it gave to the program."""
        if not links or not self._libraries.of_futures or issubclass(type(future), asyncio.Task):
            return None
        for name, read in self._libraries.of_futures:
            try:
                found = read(links, future)
            except Exception as error:
                self._libraries.failed(name, "waits", error)
                continue
            if found is not None:
                return found
        return None

    def _read(
        self,
        entry: tuple[str, TaskWait],
        links: list[SuspendedFrame],
        link: SuspendedFrame,
        future: asyncio.Future[Any],
    ) -> Waiting | None:
        """By what a library says of one of its functions; None where that is no wait, or could not be read."""
        try:
            return entry[1].read(links, link, future)
        except Exception as error:
            self._libraries.failed(entry[0], "waits", error)
            return None

    def poll(self, links: list[SuspendedFrame]) -> SuspendedFrame | None:
        """The outermost function of a library that looks round again and again, whatever it is in on the way, if the
        program's own code was not called by it."""
        if not self._polls:
            return None
        for place, link in enumerate(links):
            if id(link.code) in self._polls:
                inward = links[place + 1 :]
                return None if any(own_code.is_own(one.code.co_filename) for one in inward) else link
        return None

    def _in_order(self, links: list[SuspendedFrame]) -> list[SuspendedFrame]:
        """The innermost first, but one that waits by means of another library before that."""
        links = links[::-1]
        if not self._around_others:
            return links
        return sorted(links, key=lambda link: id(link.code) not in self._around_others)

    def plain(self, codes: tuple[CodeType, ...]) -> TaskWait | None:
        """What tasks in these functions wait for, where that follows from the innermost one alone."""
        if any(id(code) in self._anywhere for code in codes[-_ANYWHERE_LINKS:]):
            return None
        if self._polls and any(id(code) in self._polls for code in codes):
            return None
        if any(id(code) in self._around for code in codes[-_AROUND_LINKS - 1 : -1]):
            return None
        return self._inner.get(id(codes[-1]))

    def locks_given_up(self, links: list[SuspendedFrame]) -> list[Any]:
        """Locks that a task does not hold although it is inside their block: `Condition.wait` releases its lock."""
        found: list[Any] = []
        for link in links:
            entry = self._anywhere.get(id(link.code))
            row = entry[1] if entry is not None else self._inner.get(id(link.code))
            if row is not None and row.operation.gives_up_lock and row.finds is not None:
                condition = first_of(link, row.finds)
                lock = None if condition is None else self._libraries.held_by_manager(condition)
                if lock is not None:
                    found.append(lock)
        return found

    def is_own(self, code: CodeType) -> bool:
        """Whether it is a coroutine by which one waits, not one that does something."""
        return id(code) in self._inner or id(code) in self._around or id(code) in self._anywhere


def _of_peer(links: list[SuspendedFrame], found: Waiting) -> Waiting:
    """The same, but a bare future that a library's connection will complete is a wait for the peer."""
    if found.operation not in (_FUTURE, _SHIELD) or not found.targets:
        return found
    if not issubclass(type(found.targets[0]), asyncio.Future) or issubclass(type(found.targets[0]), asyncio.Task):
        return found
    peer = of_library(links, found.targets[0])
    return found if peer is None else peer._replace(deadline=found.deadline)
