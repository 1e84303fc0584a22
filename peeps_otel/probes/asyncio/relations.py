# SPDX-License-Identifier: Apache-2.0
"""From what was read of one task to the graph: what it waits for, and what it holds."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable
from threading import Lock, RLock, Semaphore
from typing import Any, NamedTuple
from weakref import ref

from ...model import Confidence, Edge, EdgeKind, own_line
from ..context import ProbeContext, TaskHold
from ..internals import asyncio_core as internals
from ..internals.await_chain import Entered, SuspendedFrame
from ..library_registry import LibraryRegistry
from ..resource_states import Held
from . import tasks as asyncio_tasks
from .resources import Resources
from .tasks import Holds, TaskRecord
from .waits import Classifier, Waiting

_FUTURES = (asyncio.Future, concurrent.futures.Future)
_BLOCKING = (type(Lock()), type(RLock()), Semaphore)


class ReadTask(NamedTuple):
    """A task that was read in this look, and what it waits for."""

    record: TaskRecord
    waiting: Waiting


class Relations:
    """For the watcher thread only."""

    def __init__(
        self,
        context: ProbeContext,
        resources: Resources,
        classifier: Classifier,
        libraries: LibraryRegistry,
        id_of: Callable[[asyncio.Task[Any]], str | None],
    ) -> None:
        self._context = context
        self._resources = resources
        self._classifier = classifier
        self._libraries = libraries
        self._id_of = id_of

    def register_wait_and_holds(
        self, links: list[SuspendedFrame], managers: list[Entered], waiting: Waiting, task_source: str, now_ns: int
    ) -> list[Holds]:
        """Makes the nodes of what a task waits for and of what its stack shows it to hold; returns the latter."""

        def guess() -> tuple[str, str]:
            name, source = asyncio_tasks.used_at(links, self._classifier.is_own)
            return name, source or task_source

        for target in waiting.targets:
            if not issubclass(type(target), _FUTURES):
                self._resources.record(target, now_ns, guess)
        given_up = {id(lock) for lock in self._classifier.locks_given_up(links)} if managers else set[int]()
        holds: list[Holds] = []
        for one in managers:
            if issubclass(type(one.manager), _BLOCKING) and not one.by_generator:
                holds.append(Holds(None, asyncio_tasks.entered_at(one)[1], id(one.manager)))
                continue
            lock: object = internals.held_by_manager(one.manager)
            if lock is None and self._libraries.anyio is not None:
                lock = self._libraries.anyio.held_by_manager(one.manager)
            if lock is None or id(lock) in given_up:
                continue
            name, source = asyncio_tasks.entered_at(one)
            record = self._resources.record(lock, now_ns, lambda name=name, source=source: (name, source))
            if record is not None:
                holds.append(Holds(ref(lock), source, by_block=not one.by_generator))
        return holds

    def held(self, holding: list[TaskRecord], last_look_ns: int) -> dict[int, list[Held]]:
        """Who holds what by an `async with` block, by `id(primitive)`. Those of `threading` go to the thread probe."""
        held: dict[int, list[Held]] = {}
        blocking: dict[int, list[TaskHold]] = {}
        for record in holding:
            wait = record.node.wait  # what is held now was held when the wait began
            since_ns = last_look_ns if wait is None else wait.since_ns
            for one in record.holds:
                if one.primitive is None:
                    blocking.setdefault(one.blocking, []).append(TaskHold(record.id, since_ns, one.source))
                    continue
                primitive = one.primitive()
                if primitive is not None:
                    confidence = Confidence.EXACT if one.by_block else Confidence.INFERRED
                    holder = Held(record.id, since_ns, one.source, one.by_block, confidence)
                    held.setdefault(id(primitive), []).append(holder)
        self._context.held_by_tasks = blocking
        return held

    def connect(self, one: ReadTask, now_ns: int) -> None:
        """The `needs` edges of a task, now that every target has a node."""
        wait = one.record.node.wait
        if wait is None:
            return
        edges: list[Edge] = []
        for target in one.waiting.targets:
            source = own_line.line_of(wait.source) or one.record.source
            target_id = self._target(target, one.waiting, source, now_ns)
            if target_id is None:
                edges = []  # one of those it waits for is not known (yet): nothing may be concluded from the others
                one.record.is_plain = one.record.is_settled = False
                break
            cancels = one.waiting.cancels
            edges.append(Edge(EdgeKind.NEEDS, one.record.id, target_id, wait.since_ns, wait.source, cancels=cancels))
        found = tuple(edges)
        if found != one.record.edges:
            one.record.edges = found

    def _target(self, target: Any, waiting: Waiting, source: str, now_ns: int) -> str | None:
        if issubclass(type(target), asyncio.Task):
            return self._id_of(target)
        if issubclass(type(target), _FUTURES):
            worker = "" if waiting.thread is None else self._context.thread(waiting.thread, now_ns)
            return self._context.futures.wanted(target, now_ns, source, worker)
        record = self._resources.known(target)
        kind = waiting.operation.kind
        return None if record is None or kind is None else record.ids.get(kind)
