# SPDX-License-Identifier: Apache-2.0
"""Reading a task in one of the waits that very many tasks have at once, several times as fast as any other."""

from __future__ import annotations

import asyncio
from gc import get_referents
from typing import Any

from ...model import AttributeValue, Edge, EdgeKind, NodeKind, Wait
from ...model.untracked import untracked, weakly
from ..internals import asyncio_core as internals
from ..internals.await_chain import chain, entered, may_have_entered
from ..library_registry import LibraryRegistry
from ..resources import Resources
from ..source import own_code
from . import tasks as asyncio_tasks
from .line_budget import LineBudget
from .task_record import LINED, MATTERS, PLAIN, PUTS, SETTLED, TaskRecord
from .tasks import TaskAttributes
from .wait_shapes import Shape, Shapes

_NO_DEADLINE = (None, False)


class FastPathReader:
    """For the watcher thread only."""

    def __init__(
        self,
        shapes: Shapes,
        resources: Resources,
        libraries: LibraryRegistry,
        lines: LineBudget,
        attributes: TaskAttributes,
    ) -> None:
        self._shapes = shapes
        self._resources = resources
        self._libraries = libraries
        self._lines = lines
        self._attributes = attributes

    def read(self, task: asyncio.Task[Any], record: TaskRecord, now_ns: int) -> bool:
        """Updates the record of a task that is suspended in a function that tells by itself what it waits for, inside
        no block, and is to have no lines unless those cost nothing. False where this one is not of that kind; nothing
        is changed then."""
        if not internals.is_plain(task):
            return False
        future = internals.waiter_of(task)
        if type(future) is not asyncio.Future or future.done() or task.cancelling():
            return False
        same = record.future is not None and record.future() is future
        with_lines = self._lines.is_free and self._lines.rest > 0
        if same and record.has_lines and not with_lines:
            return False
        coroutine: object = task.get_coro()
        found = self._shapes.of(coroutine, with_lines)
        if found is None:
            return False
        shape, coroutines = found
        operation, finds = shape.wait.operation, shape.wait.finds
        if not with_lines and self._lines.grants(operation.lines_first, False) and (same or finds is not None):
            return False
        if shape.entering and _is_in_a_block(shape, coroutines):
            return False
        if self._libraries.deadlines and self._may_have_a_deadline(task):
            return False
        referents = get_referents(coroutines[-1])
        target_id = deadline_ns = None
        if finds is not None:
            target_id = self._target(referents, finds, operation.kind)
        else:
            deadline_ns = _timer(referents, task, now_ns)
        if target_id is None and deadline_ns is None:
            return False
        recorded = asyncio_tasks.began(referents) if shape.recorded else None
        if internals.waiter_of(task) is not future:
            return False  # it ran on while it was being read
        if not same:
            record.steps += 1
            record.since_ns = now_ns
            record.future = weakly(future)
        more = self._attributes.of(task, record, now_ns)
        self._keep(record, shape, same, target_id, deadline_ns, recorded, more)
        return True

    def _may_have_a_deadline(self, task: asyncio.Task[Any]) -> bool:
        try:
            return any(deadline_of(task) != _NO_DEADLINE for _, deadline_of in self._libraries.deadlines)
        except Exception:
            return True  # the other way says so

    def _target(self, referents: list[Any], finds: type[Any], kind: NodeKind | None) -> str | None:
        """The node of the thing of this type that is waited for; None where none has a name yet."""
        for one in referents:
            if issubclass(type(one), finds):
                known = self._resources.known(one)
                return None if known is None or not known.is_named else known.node_of(kind)
        return None

    def _keep(
        self,
        record: TaskRecord,
        shape: Shape,
        same: bool,
        target_id: str | None,
        deadline_ns: int | None,
        recorded: int | None,
        more: dict[str, AttributeValue],
    ) -> None:
        """Writes down what was read. `recorded`: since when it waits, if it has written that down itself."""
        operation = shape.wait.operation
        before = record.node.wait
        if before is not None and same and before.deadline_ns is not None:
            deadline_ns = before.deadline_ns
        since_ns = record.since_ns if recorded is None else recorded
        if record.further is not None:
            if record.further.given and shape.own:
                record.rename(f"{shape.own} ({record.further.given})")
            record.clear()
        if shape.has_lines or record.has_lines:
            self._lines.note(record, operation.lines_first, shape.has_lines)
        lined = LINED | SETTLED if shape.has_lines else 0
        record.flags = lined | MATTERS * operation.lines_first | PLAIN | PUTS * operation.puts
        source = shape.source if shape.is_own else own_code.place_of(shape.stack, record.source)
        wait = untracked(Wait(operation.name, since_ns, source, 1, deadline_ns, recorded is not None))
        shown = record.node
        if same and wait == before and shown.stack is shape.stack and shown.attributes is more:
            return  # nothing else can have changed: no node is made to find it equal
        node = asyncio_tasks.node_of(record, "waiting", wait, shape.stack, more)
        if not same or node != shown:
            record.node = node
            edges: tuple[Edge, ...] = ()
            if target_id is not None:
                edges = (untracked(Edge(EdgeKind.NEEDS, record.id, target_id, since_ns, source)),)
            if edges != record.edges:
                record.edges = untracked(edges) if edges else edges


def _is_in_a_block(shape: Shape, coroutines: list[Any]) -> bool:
    """Whether one of the suspended functions is in a `with`, or iterates a generator."""
    for place in shape.entering:
        following = coroutines[place + 1] if place + 1 < len(coroutines) else None
        if may_have_entered(coroutines[place], following):
            return bool(entered(chain(coroutines[0])))
    return False


def _timer(referents: list[Any], task: asyncio.Task[Any], now_ns: int) -> int | None:
    """When the timer that a sleeping function has goes off; None where it has none."""
    timers = [one for one in referents if type(one) is asyncio.TimerHandle]
    deadline = internals.timer_deadline(timers[0]) if timers else None
    if deadline is None:
        return None
    return now_ns + int((deadline - internals.loop_of(task).time()) * 1e9)
