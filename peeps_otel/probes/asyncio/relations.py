# SPDX-License-Identifier: Apache-2.0
"""From what was read of one task to the graph: what it waits for, and what it holds by a block.

What it has by a bare `acquire()` is found from the other side, by what the lock says: `states.py`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple
from weakref import ref

from ...model import Confidence, Edge, EdgeKind, own_line
from ...model.untracked import untracked
from ..context import ProbeContext
from ..internals.await_chain import Entered, SuspendedFrame
from ..library import Waiting
from ..resource_types import Held
from . import blocks
from . import tasks as asyncio_tasks
from .task_record import Holds, TaskRecord
from .waits import Classifier

_FUTURES = (asyncio.Future, concurrent.futures.Future)


class ReadTask(NamedTuple):
    """A task that was read in this look, and what it waits for."""

    record: TaskRecord
    waiting: Waiting


class Relations:
    """For the watcher thread only."""

    def __init__(
        self,
        context: ProbeContext,
        classifier: Classifier,
        id_of: Callable[[asyncio.Task[Any]], str | None],
    ) -> None:
        self._context = context
        self._resources = context.resources
        self._classifier = classifier
        self._libraries = context.libraries
        self._id_of = id_of

    def register_wait_and_holds(
        self, links: list[SuspendedFrame], managers: list[Entered], waiting: Waiting, task_source: str, now_ns: int
    ) -> tuple[Holds, ...]:
        """Makes the nodes of what a task waits for and of what its stack shows it to hold; returns the latter."""

        def guess() -> tuple[str, str]:
            name, source = asyncio_tasks.used_at(links, self._classifier.is_own)
            return name, source or task_source

        for target in waiting.targets:
            if not issubclass(type(target), _FUTURES):
                record = self._resources.record(target, now_ns, guess)
                if record is not None:
                    self._resources.flows.waited_for(target, waiting.operation, record.node_of(waiting.operation.kind))
        given_up = {id(lock) for lock in self._classifier.locks_given_up(links)} if managers else set[int]()
        holds: list[Holds] = []
        for one in managers:
            lock = self._libraries.held_by_manager(one.manager)
            if lock is None or id(lock) in given_up:
                continue
            name, source = blocks.entered_at(one)
            record = self._resources.record(lock, now_ns, lambda name=name, source=source: (name, source))
            if record is not None:
                if record.type.is_pool:
                    asked = blocks.asked_at(links, one)
                    record.source = asked if asked and record.source == source else record.source
                    source = asked
                holds.append(Holds(ref(lock), source, by_block=not one.by_generator))
        return tuple(holds)

    def rehold(self, record: TaskRecord, before: Sequence[Holds], last_look_ns: int) -> None:
        """Tells the resources who holds what by a `with` or `async with` block, of a task that was read anew. `before`:
        what it held when that was told last."""
        for one in before:
            thing = one.primitive()
            if thing is not None:
                self._resources.let_go(thing, record.id)
        wait = record.node.wait  # what is held now was held when the wait began
        since_ns = last_look_ns if wait is None else wait.since_ns
        for one in record.known().holds:
            thing = one.primitive()
            if thing is not None:
                confidence = Confidence.EXACT if one.by_block else Confidence.INFERRED
                held = Held(record.id, since_ns, one.source, one.by_block, confidence)
                self._resources.hold_on(thing, held)

    def use(self, thing: ref[Any]) -> None:
        """A task wants it in this look."""
        self._resources.use(thing)

    def beside(self, thing: Any, now_ns: int) -> None:
        """What a task does not wait for by itself, but may be held up by; of which a node is shown meanwhile."""
        if self._resources.record(thing, now_ns, lambda: ("", "")) is not None:
            self._resources.use(ref(thing))

    def ended(self, record: TaskRecord) -> None:
        """A task is there no more: what it held and waited for is described anew."""
        before = record.known().holds
        record.note_holds((), 0)
        self.rehold(record, before, 0)
        self._resources.owner_ended(record.id)
        self.touch(record.edges)

    def touch(self, edges: Iterable[Edge]) -> None:
        """Whose edges these are has made a step: what they lead to is described anew."""
        for edge in edges:
            self._resources.touch(edge.dst)

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
                one.record.note_kind(is_plain=False, is_settled=False, puts=one.record.puts_since_ns > 0)
                break
            cancels = one.waiting.cancels
            edge = Edge(EdgeKind.NEEDS, one.record.id, target_id, wait.since_ns, wait.source, cancels=cancels)
            edges.append(untracked(edge))
        found = tuple(edges)
        if found != one.record.edges:
            one.record.edges = untracked(found) if found else found

    def _target(self, target: Any, waiting: Waiting, source: str, now_ns: int) -> str | None:
        if issubclass(type(target), asyncio.Task):
            return self._id_of(target)
        if issubclass(type(target), _FUTURES):
            worker = "" if waiting.thread is None else self._context.thread(waiting.thread, now_ns)
            return self._context.futures.wanted(target, now_ns, source, worker)
        record = self._resources.known(target)
        return None if record is None else record.node_of(waiting.operation.kind)
