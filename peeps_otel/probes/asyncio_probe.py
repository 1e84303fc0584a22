# SPDX-License-Identifier: Apache-2.0
"""The asyncio probe: install, uninstall, look."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any
from weakref import ref

import wrapt

from .. import semconv
from ..model import AttributeValue, Edge, NodeKind
from . import anyio_internals, asyncio_cancellation, asyncio_rewrites, asyncio_tasks, channel_users, uvloop_front
from . import asyncio_internals as internals
from .asyncio_loops import Loops
from .asyncio_relations import Relations, Seen
from .asyncio_resources import Resources
from .asyncio_tasks import TaskRecord
from .asyncio_waits import Classifier, Waiting
from .await_chain import Entered, chain, entered
from .creation_sites import CreationSites
from .deadlines import earliest
from .identity import Identities
from .libraries import Libraries
from .observation import EndedTask, Observation, Yield
from .recorder import Recorder
from .shared import Shared

_READ_AT_ONCE = 20  # tasks between two chances for the other threads to run
_LONG_NS = 1_000_000_000
_DUE_MOST = 256
# Read with their lines from the first look on: what is usual at a line is learned from the short waits there.
_OWN_RESOURCES = ("lock", "semaphore", "event", "condition", "queue", "barrier", "limiter", "channel", "future")
_PUTS = frozenset({"queue.put", "channel.send"})
_SHOWN_AT_ONCE = 500
_MET_AT_ONCE = 200
_SEVERAL = frozenset({"gather", "taskgroup", "wait", "as_completed"})


_Met = tuple[ref[asyncio.Task[Any]], TaskRecord]


class AsyncioProbe:
    """Sees every asyncio task of the process and what it waits for.

    A `Probe`. `lines_most`: for how many tasks at a time source lines are resolved.
    """

    name = "asyncio"

    def __init__(self, recorder: Recorder, lines_most: int = 2000) -> None:
        self.recorder = recorder
        self._lines_most = lines_most
        self._undo: list[Callable[[], None]] = []
        self._coverage: list[str] = []
        self._foreign_loops = False
        self._classifier = Classifier()
        self._libraries = Libraries()
        self._putting_since_ns = 0
        self.forget()

    def install(self) -> None:
        """Rewrites asyncio in place. What cannot be rewritten is said in the coverage of each look."""
        if self._undo:
            return
        note = internals.version_note()
        self._coverage += [note] if note else []
        self._undo, refused = asyncio_rewrites.install(self.recorder)
        self._coverage += refused
        self._classifier.learn()
        wrapt.register_post_import_hook(self._for_foreign_loops, "uvloop")

    def uninstall(self) -> None:
        """Leaves every function's code as it was."""
        for undo in reversed(self._undo):
            undo()
        self._undo, self._coverage, self._foreign_loops = [], [], False

    def forget(self, shared: Shared | None = None) -> None:
        """Starts all over, with new node ids: after a fork."""
        self._shared = shared or Shared()
        self._shared.task_id = self._id_of
        self._ids = self._shared.ids
        self._shared.task_id = self._id_of
        self._tasks: Identities[TaskRecord] = Identities()
        self._resources = Resources(self._ids)
        if self._libraries.anyio is not None:
            self._resources.learn(self._libraries.anyio.species)
        self._relations = Relations(self._shared, self._resources, self._classifier, self._libraries, self._id_of)
        self._loops = Loops()
        self._by_sequence: dict[int, str] = {}
        self._sites = CreationSites()
        self._due: list[ref[asyncio.Task[Any]]] = []
        self._looks = 0
        self._last_look_ns = time.time_ns()

    def look(self, now_ns: int, pause: Yield = lambda: time.sleep(0)) -> Observation:
        """What this probe alone sees."""
        observation = Observation()
        self.observe(observation, now_ns, pause)
        return observation

    def observe(self, observation: Observation, now_ns: int, pause: Yield) -> None:
        """All tasks and the resources between them."""
        self.recorder.refill(now_ns)
        self._libraries.meet(self._classifier, self._resources)
        observation.coverage += self._coverage + self._libraries.not_seen()
        self._looks += 1
        self._loops.begin()
        failed = _Failures()
        met = self._meet(self._loops.tasks(), now_ns, pause, failed)
        seen, living, holding = self._look_at_all(met, observation, now_ns, pause, failed)
        observation.coverage += self._resources.look(
            self._relations.held(holding, self._last_look_ns), self._id_of, now_ns, pause
        )
        while seen:
            if len(seen) % _READ_AT_ONCE == 0:
                pause()
            one = seen.pop()  # freed one by one: all at once would take too long
            try:
                self._relations.connect(one, now_ns)
            except Exception as error:
                failed.add(error)
                one.record.edges = ()
        self._show(living, self._touched(met, now_ns, pause), observation, pause)
        if self._tasks.replaced or len(living) != len(self._tasks):
            ended = self._tasks.sweep(lambda record: record.last_look != self._looks, pause)
            self._bury(ended, observation, now_ns)
        while met:
            pause()
            del met[-_SHOWN_AT_ONCE:]
        observation.coverage += failed.told()
        self._last_look_ns = now_ns

    def _meet(
        self, references: list[ref[asyncio.Task[Any]]], now_ns: int, pause: Yield, failed: _Failures
    ) -> list[_Met]:
        """All tasks with their records. Those of new ones are made first of all, so that each finds its parent."""
        known = self._tasks.table
        found: list[_Met] = []
        new: list[ref[asyncio.Task[Any]]] = []
        for number, reference in enumerate(references):
            if number % _MET_AT_ONCE == 0:
                pause()
            task = reference()
            entry = known.get(id(task))
            if entry is not None and entry[0]() is task:
                found.append((reference, entry[1]))
            elif task is not None and not task.done():
                new.append(reference)
                try:
                    asyncio_tasks.learn_site(task, self._sites)  # before any of them asks for its like
                except Exception as error:
                    failed.add(error)
        for number, reference in enumerate(new):
            if number % _READ_AT_ONCE == 0:
                pause()
            task = reference()
            if task is None:
                continue
            try:
                record = self._met(task, now_ns)
            except Exception as error:
                failed.add(error)
                continue
            if record is not None:
                found.append((reference, record))
        return found

    def _look_at_all(
        self, met: list[_Met], observation: Observation, now_ns: int, pause: Yield, failed: _Failures
    ) -> tuple[list[Seen], list[TaskRecord], list[TaskRecord]]:
        """Those whose edges are to be made anew, all that live, and those that hold something."""
        budget, looks = self._lines_most if self._shared.with_lines else 0, self._looks
        self._due = []
        seen: list[Seen] = []
        living: list[TaskRecord] = []
        holding: list[TaskRecord] = []
        putting_since_ns = now_ns
        work = 0  # since the last pause: 1 for a task that waits as before, more for one that is read
        for reference, record in met:
            work += 1
            if work >= _MET_AT_ONCE:
                work = 0
                pause()
            task = reference()
            if task is None:
                continue
            waits_as_before = False
            if record.is_settled or (record.is_plain and budget <= 0):
                future = internals.waiter_of(task)
                waits_as_before = (
                    future is not None
                    and record.future() is future  # pyright: ignore[reportOptionalCall]
                    and not future.done()
                    and task.cancelling() == record.cancel_requests
                )
            if not waits_as_before and task.done():
                continue
            record.last_look = looks
            living.append(record)
            if not waits_as_before:
                work += _MET_AT_ONCE // _READ_AT_ONCE
                try:
                    one = self._look_at(task, record, now_ns, budget > 0, pause)
                except Exception as error:
                    failed.add(error)
                    self._goes_on(task, record, "unknown", now_ns)
                    continue
                if one is not None:
                    budget -= one.record.has_lines  # also of those that had them: reading again is work too
                    seen.append(one)
            if record.holds:
                holding.append(record)
            if record.puts_since_ns:
                putting_since_ns = min(putting_since_ns, record.puts_since_ns)
        self._putting_since_ns = putting_since_ns
        if budget <= 0:
            observation.shed.append("source lines of some waiting tasks")
        return seen, living, holding

    def _show(
        self, living: list[TaskRecord], touched: dict[str, tuple[Edge, ...]], observation: Observation, pause: Yield
    ) -> None:
        nodes, all_edges = observation.nodes, observation.edges
        for number, record in enumerate(living):
            if number % _SHOWN_AT_ONCE == 0:
                pause()
            edges = record.edges
            if touched:
                edges += touched.get(record.id, ())
            if edges is not record.shown and edges != record.shown:
                record.shown = edges
            nodes[record.id] = record.node
            all_edges[record.id] = record.shown
        for number, resource in enumerate(self._resources.records()):
            if number % _SHOWN_AT_ONCE == 0:
                pause()
            for node in resource.nodes:
                nodes[node.id] = node
            all_edges.update(resource.edges)

    # --- one task -----------------------------------------------------------------------------------------------------

    def _look_at(
        self, task: asyncio.Task[Any], record: TaskRecord, now_ns: int, lines_left: bool, pause: Yield
    ) -> Seen | None:
        """Updates the task's record. Returns what its edges are to be made of, None where nothing has changed."""
        future = internals.awaited_future(task)
        requests = asyncio_cancellation.requests(task)
        if future is None:
            if len(self._due) < _DUE_MOST:
                self._due.append(ref(task))
            state = asyncio_tasks.state_of(task, internals.loop_of(task))
            if record.future is not None or record.node.state != state or record.cancel_requests != requests:
                record.steps += record.future is not None or record.node.state == "waiting"
                record.cancel_requests = requests
                self._goes_on(task, record, state, now_ns)
            return None
        same = record.future is not None and record.future() is future
        if not same:
            record.steps += 1
            record.since_ns = now_ns
            try:
                record.future = ref(future)
            except TypeError:
                record.future = None  # never the same twice, so never part of a verdict
        record.cancel_requests = requests
        links = chain(task.get_coro())
        waiting = self._classifier.classify(links, future)
        managers = entered(links)
        if internals.awaited_future(task) is not future:
            self._goes_on(task, record, "runnable", now_ns)  # it ran on while it was being read: that wait is over
            return None
        with_lines = lines_left and (same or waiting.operation.name.startswith(_OWN_RESOURCES))
        with_lines = with_lines or (same and record.has_lines)
        record.has_lines = with_lines
        record.is_plain = (
            record.future is not None
            and waiting.operation.name not in _SEVERAL
            and internals.is_plain(task)
            and internals.is_asyncio_future(future)
        )
        record.is_settled = record.is_plain and with_lines
        record.puts_since_ns = record.since_ns if waiting.operation.name in _PUTS else 0
        if record.given:
            asyncio_tasks.name_after(record, links)
        stack = asyncio_tasks.frames(links, with_lines)
        record.holds = self._relations.take_in(links, managers, waiting, record.source, now_ns)
        deadline_ns = self._deadline(task, waiting, managers, future, now_ns, pause)
        wait = asyncio_tasks.wait_of(waiting, links, stack, record.since_ns, deadline_ns)
        before = record.node.wait
        if before is not None and same and before.deadline_ns is not None and wait.deadline_ns is not None:
            wait.deadline_ns = before.deadline_ns  # two clocks: the same timer must not seem to move
        more = self._more(task, record, managers, now_ns)
        node = asyncio_tasks.node_of(record, "waiting", wait, stack, more)
        if node != record.node:
            record.node = node
        return Seen(record, waiting)

    def _goes_on(self, task: asyncio.Task[Any], record: TaskRecord, state: str, now_ns: int) -> None:
        """The task waits for nothing and what it holds cannot be read."""
        record.future, record.edges, record.holds = None, (), []
        record.has_lines = record.is_plain = record.is_settled = False
        record.puts_since_ns = 0
        more = self._more(task, record, [], now_ns)
        record.node = asyncio_tasks.node_of(record, state, None, (), more)

    def _more(
        self, task: asyncio.Task[Any], record: TaskRecord, managers: list[Entered], now_ns: int
    ) -> dict[str, AttributeValue]:
        """The attributes that may change during a task's life."""
        more: dict[str, AttributeValue] = {}
        parent = self._parent(record)
        if parent is not None:
            more[semconv.TASK_PARENT] = parent
        ident = self._loops.thread(internals.loop_of(task))
        if ident is not None:
            more[semconv.TASK_THREAD] = self._shared.thread(ident, now_ns)
        if record.cancel_requests > 0:
            more[semconv.TASK_CANCEL_REQUESTS] = record.cancel_requests
            asked_by = asyncio_cancellation.asked_by(task, managers, self._id_of)
            if asked_by is None and self._libraries.anyio is not None and anyio_internals.is_cancelled(task):
                asked_by = asyncio_cancellation.BY_SCOPE
            if asked_by is not None:
                more[semconv.TASK_CANCELLED_BY] = asked_by
        return more

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
        scopes: tuple[type[object], ...] = ()
        found: list[float | None] = [waiting.deadline]
        if self._libraries.anyio is not None:
            deadline, cancelled = anyio_internals.scope_deadline(task)
            found += [deadline, loop.time() if cancelled else None]
            scopes = (self._libraries.anyio.types.scope,)
        found.append(earliest(managers, scopes))
        if waiting.operation.name == "future":
            found.append(self._loops.timer(loop, future, pause))
        first = min((one for one in found if one is not None), default=None)
        return None if first is None else now_ns + int((first - loop.time()) * 1e9)

    def _met(self, task: asyncio.Task[Any], now_ns: int) -> TaskRecord | None:
        """The record of a task, made at first sight; None for one that takes no weak reference."""
        known = self._tasks.get(task)
        if known is not None:
            return known
        loop = internals.loop_of(task)
        origin = asyncio_tasks.origin_of(task)
        created = now_ns if origin is None else origin.time_ns
        record = asyncio_tasks.new_record(
            task, self._ids.new(NodeKind.TASK, created), created, self._loops.number(loop), self._sites
        )
        if not self._tasks.put(task, record):
            return None
        if record.sequence:
            self._by_sequence[record.sequence] = record.id
        return record

    def _parent(self, record: TaskRecord) -> str | None:
        return self._by_sequence.get(record.parent) if record.parent else None

    def node_id(self, task: asyncio.Task[Any]) -> str | None:
        """The node of a task that a look has met. On any thread."""
        return self._id_of(task)

    def loops(self) -> list[asyncio.AbstractEventLoop]:
        """The event loops that tasks were met on. On the watcher's thread, as `due`."""
        return self._loops.living()

    def due(self) -> list[asyncio.Task[Any]]:
        """The tasks that the last look found waiting for nothing; not all of them where there are many."""
        return [task for reference in self._due if (task := reference()) is not None]

    def _id_of(self, task: asyncio.Task[Any]) -> str | None:
        record = self._tasks.get(task)
        return None if record is None else record.id

    def _touched(self, met: list[_Met], now_ns: int, pause: Yield) -> dict[str, tuple[Edge, ...]]:
        """Who has a channel in his hands that somebody has been waiting to put into."""
        if now_ns - self._putting_since_ns < _LONG_NS:
            return {}
        full = self._resources.full_channels()
        return channel_users.touches(full, [reference for reference, _ in met], self._id_of, pause) if full else {}

    def _bury(self, records: list[TaskRecord], observation: Observation, now_ns: int) -> None:
        for record in records:
            self._by_sequence.pop(record.sequence, None)
            observation.ended.append(
                EndedTask(record.name, record.source, record.sequence, record.created_ns, self._last_look_ns, now_ns)
            )

    def _for_foreign_loops(self, _module: object) -> None:
        """uvloop was imported: its `create_task` is written in C."""
        if self._undo and not self._foreign_loops:
            self._foreign_loops = True
            undo, refused = uvloop_front.install(self.recorder)
            self._undo += undo
            self._coverage += refused


class _Failures:
    """Tasks that could not be read in one look, by the type of the error."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def add(self, error: Exception) -> None:
        name = type(error).__name__
        self._counts[name] = self._counts.get(name, 0) + 1

    def told(self) -> list[str]:
        return [f"{count} tasks could not be read: {name}" for name, count in self._counts.items()]
