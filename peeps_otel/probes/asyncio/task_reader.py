# SPDX-License-Identifier: Apache-2.0
"""Reading one task: what it waits for, what it holds, its stack and its attributes. Any task, in any wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from weakref import ref

from ... import semconv
from ...model import AttributeValue
from ...model.operations import operation
from ...model.untracked import weakly
from ..internals import asyncio_core as internals
from ..internals.await_chain import Entered, SuspendedFrame, chain, entered
from ..library import Waiting
from ..library_registry import LibraryRegistry
from ..probe import Yield
from . import cancellation
from . import tasks as asyncio_tasks
from .line_budget import LineBudget
from .loops import Loops
from .relations import ReadTask, Relations
from .task_record import TaskRecord
from .tasks import TaskAttributes
from .waits import Classifier

_DUE_MOST = 256
_FUTURE = operation("future")


class TaskReader:
    """For the watcher thread only. `due`: the tasks found waiting for nothing since it was emptied, 256 at most."""

    def __init__(
        self,
        classifier: Classifier,
        relations: Relations,
        libraries: LibraryRegistry,
        lines: LineBudget,
        attributes: TaskAttributes,
        loops: Loops,
        id_of: Callable[[asyncio.Task[Any]], str | None],
    ) -> None:
        self._classifier = classifier
        self._relations = relations
        self._libraries = libraries
        self._lines = lines
        self._attributes = attributes
        self._loops = loops
        self._id_of = id_of
        self.due: list[ref[asyncio.Task[Any]]] = []

    def read(self, task: asyncio.Task[Any], record: TaskRecord, now_ns: int, pause: Yield) -> ReadTask | None:
        """Updates the task's record. Returns what its edges are to be made of, None where nothing has changed."""
        self._use_polled(record)
        future = internals.awaited_future(task)
        requests = cancellation.requests(task)
        if future is None:
            if not _polls_on(record):  # else it looks round right now
                self._note_step(task, record, requests, now_ns)
            return None
        links = chain(task.get_coro())
        waiting = self._classifier.classify(links, future)
        call = self._classifier.poll(links) if waiting.operation.polls else None
        if call is not None:
            links = links[: links.index(call) + 1]  # what it is in within changes with each turn
        managers = entered(links)
        same = record.future is not None and record.future() is future
        if internals.awaited_future(task) is not future:
            if not _polls_on(record):  # it ran on while it was being read: that wait is over
                record.steps += not same
                self.mark_not_waiting(task, record, "runnable", now_ns)
            return None
        same = same or _polls_on(record, links)
        if not same:
            record.steps += 1
            record.since_ns = now_ns
        record.future = _weakly(future)
        holds = self._relations.register_wait_and_holds(links, managers, waiting, record.source, now_ns)
        record.note_holds(holds, requests)
        matters = waiting.operation.lines_first or bool(holds) or requests > 0
        at_once = self._lines.is_free or same or bool(holds) or requests > 0 or waiting.operation.lines_at_once
        with_lines = (same and record.has_lines) or (at_once and self._lines.grants(matters, bool(holds)))
        self._lines.note(record, matters, with_lines)
        is_plain = (
            record.future is not None
            and not waiting.operation.several
            and not waiting.operation.polls
            and waiting.beside is None
            and internals.is_plain(task)
            and internals.is_asyncio_future(future)
        )
        record.note_kind(is_plain, is_plain and with_lines, waiting.operation.puts)
        if record.known().given:
            asyncio_tasks.name_after(record, (link.code for link in links))
        self._note_poll(record, call, waiting)
        stack = asyncio_tasks.frames(links, with_lines, polls=call is not None)
        deadline_ns = self._deadline(task, waiting, managers, future, now_ns, pause)
        wait = asyncio_tasks.wait_of(waiting, links, stack, record.source, record.since_ns, deadline_ns)
        before = record.node.wait
        if before is not None and same and before.deadline_ns is not None and wait.deadline_ns is not None:
            wait.deadline_ns = before.deadline_ns  # two clocks: the same timer must not seem to move
        more = self._more(task, record, managers, now_ns)
        told = _told_by(waiting, links, future)
        more = more | told if told else more
        if waiting.beside is not None:
            self._relations.beside(waiting.beside.thing, now_ns)
        node = asyncio_tasks.node_of(record, "waiting", wait, stack, more)
        if node != record.node:
            record.node = node
        return ReadTask(record, waiting)

    def _use_polled(self, record: TaskRecord) -> None:
        """Also where it is found within a turn, and not read anew."""
        polls_for = record.known().polls_for
        if polls_for is not None and _polls_on(record):
            self._relations.use(polls_for)

    def _note_poll(self, record: TaskRecord, call: SuspendedFrame | None, waiting: Waiting) -> None:
        """`call`: the one in which it looks round again and again; None: it does not."""
        polls_for = None if call is None or not waiting.targets else weakly(waiting.targets[0])
        record.note_poll(None if call is None else weakly(call.suspended), polls_for)
        if polls_for is not None:
            self._relations.use(polls_for)

    def _note_step(self, task: asyncio.Task[Any], record: TaskRecord, requests: int, now_ns: int) -> None:
        """Of one that waits for nothing now."""
        if len(self.due) < _DUE_MOST:
            self.due.append(ref(task))
        state = asyncio_tasks.state_of(task, internals.loop_of(task))
        if record.future is not None or record.node.state != state or record.known().cancel_requests != requests:
            record.steps += record.future is not None or record.node.state == "waiting"
            record.note_holds((), requests)
            self.mark_not_waiting(task, record, state, now_ns)

    def mark_not_waiting(self, task: asyncio.Task[Any], record: TaskRecord, state: str, now_ns: int) -> None:
        """The task waits for nothing and what it holds cannot be read."""
        record.future, record.edges = None, ()
        record.note_holds((), record.known().cancel_requests)
        record.note_poll(None, None)
        self._lines.note(record, False, False)
        record.note_kind(is_plain=False, is_settled=False, puts=False)
        more = self._more(task, record, [], now_ns)
        record.node = asyncio_tasks.node_of(record, state, None, (), more)

    def _more(
        self, task: asyncio.Task[Any], record: TaskRecord, managers: list[Entered], now_ns: int
    ) -> dict[str, AttributeValue]:
        """All attributes of a task; those of a task that is being cancelled are its own."""
        attributes = self._attributes.of(task, record, now_ns)
        requests = record.known().cancel_requests
        if requests > 0:
            more: dict[str, AttributeValue] = {}
            more[semconv.TASK_CANCEL_REQUESTS] = requests
            asked_by = cancellation.asked_by(task, managers, self._id_of) or self._libraries.cancelled_by(task)
            if asked_by is not None:
                more[semconv.TASK_CANCELLED_BY] = asked_by
            attributes = attributes | more
        return attributes

    def _deadline(
        self,
        task: asyncio.Task[Any],
        waiting: Waiting,
        managers: list[Entered],
        future: asyncio.Future[Any],
        now_ns: int,
        pause: Yield,
    ) -> int | None:
        """When a timer ends the wait, whatever else happens."""
        loop = internals.loop_of(task)
        scopes, told = self._libraries.deadline(task, loop.time)
        found: list[float | None] = [waiting.deadline, *scopes]
        found.append(cancellation.earliest(managers, self._libraries.scope_types))
        if waiting.operation.asked_by_timer:
            found.append(self._loops.timer(loop, future, pause))
        if not told:  # a timer that cannot be read may end it at any time
            found.append(loop.time())
        first = min((one for one in found if one is not None), default=None)
        return None if first is None else now_ns + int((first - loop.time()) * 1e9)


def _polls_on(record: TaskRecord, links: list[SuspendedFrame] | None = None) -> bool:
    """Whether a task is still in the call in which it was seen to look round again and again. `links`: where it is
    suspended; None: it is not, or is to go on."""
    polls_in = record.known().polls_in
    call = None if polls_in is None else polls_in()
    if call is None or links is None:
        return call is not None and (call.cr_suspended or call.cr_running)
    return any(link.suspended is call for link in links)


def _weakly(future: asyncio.Future[Any]) -> ref[Any] | None:
    """None for one that takes no weak reference: never the same twice, so never part of a verdict."""
    try:
        return weakly(future)
    except TypeError:
        return None


def _told_by(
    waiting: Waiting, links: list[SuspendedFrame], future: asyncio.Future[Any]
) -> dict[str, AttributeValue] | None:
    """What a task's wait says of the task; None: nothing."""
    if waiting.operation.ends_server:
        return {semconv.TASK_ENDS_SERVER: True}
    if waiting.beside is not None:
        return {waiting.beside.attribute: waiting.beside.name}
    if waiting.operation is _FUTURE and len(links) == 1 and all(one is not future for one in links[0].referents):
        return {semconv.TASK_WAITS_UNNAMED: True}
    return None
