# SPDX-License-Identifier: Apache-2.0
"""The asyncio probe: install, uninstall, look."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Set as AbstractSet
from itertools import repeat
from operator import is_
from typing import Any, cast
from weakref import ref

from ... import native, semconv
from ...model import AttributeValue, Edge, NodeKind
from ..context import ProbeContext
from ..deaths.death import death_of
from ..identity import Identities
from ..internals import asyncio_core as internals
from ..internals.await_chain import Entered, chain, entered
from ..library import Waiting
from ..library_registry import installed
from ..patches.asyncio_runtime import AsyncioPatch
from ..patches.recorder import Recorder, TaskOrigin
from ..pools.holders import PoolHolders
from ..probe import EndedTask, Observation, Yield
from . import cancellation, channel_users
from . import tasks as asyncio_tasks
from .fast_path import FastPathReader
from .line_budget import LineBudget
from .loops import Loops
from .relations import ReadTask, Relations
from .tasks import CreationSites, TaskAttributes, TaskKinds, TaskRecord
from .wait_shapes import Shapes
from .waits import Classifier

_READ_AT_ONCE = 20  # tasks between two chances for the other threads to run
_QUICK_AT_ONCE = 50
_LONG_NS = 1_000_000_000
_DUE_MOST = 256
_SHOWN_AT_ONCE = 500
_MET_AT_ONCE = 200
_FAILED_MOST = 1000
_SEARCHED_MOST = 1000


_FUTURE, _TASK = cast("Any", asyncio.Future), cast("Any", asyncio.Task)  # their own functions, whatever a subclass does
KnownTask = tuple[ref[asyncio.Task[Any]], TaskRecord]


class AsyncioProbe:
    """Sees every asyncio task of the process and what it waits for.

    A `Probe`. `lines_most`: for how many tasks at a time source lines are resolved. `patch`: one that is installed
    already, and outlives this probe.
    """

    name = "asyncio"

    def __init__(
        self,
        recorder: Recorder,
        lines_most: int = 2000,
        *,
        context: ProbeContext | None = None,
        patch: AsyncioPatch | None = None,
    ) -> None:
        self.recorder = recorder
        self._patch = patch or AsyncioPatch(recorder)
        self._lines_most = lines_most
        self._putting_since_ns = 0
        self._context = context or ProbeContext()
        self._libraries = self._context.libraries
        self._libraries.activate_imported()
        self._classifier = Classifier(self._libraries)
        self._ids = self._context.ids
        self._context.task_id = self._id_of
        self._tasks: Identities[TaskRecord] = Identities()
        self._resources = self._context.resources
        self._resources.task_id, self._resources.task_at = self._id_of, self._id_at
        self._resources.flows.loops = self.loops
        self._relations = Relations(self._context, self._classifier, self._id_of)
        self._pool_holders = PoolHolders(self._libraries, self._resources)
        self._loops = Loops(self._context.inherited)
        self._by_sequence: dict[int, str] = {}
        self._sites = CreationSites()
        self._kinds = TaskKinds()
        self._lines = LineBudget(self._lines_most)
        self._attributes = TaskAttributes(self._context, self._loops, self._by_sequence)
        self._quick = FastPathReader(
            Shapes(self._classifier), self._resources, self._libraries, self._lines, self._attributes
        )
        self._due: list[ref[asyncio.Task[Any]]] = []
        self._looks = self._left_out = 0
        self._failed: dict[int, ref[asyncio.Task[Any]]] = {}  # those that had ended when they were first seen
        self._last_look_ns = time.time_ns()

    def install(self) -> None:
        """Rewrites asyncio in place. What cannot be rewritten is said in the coverage of each look."""
        installed()  # here, not in a look: it reads the environment's metadata
        self._libraries.activate_imported()  # before and after: tasks stay in functions as they were
        self._patch.install()
        self._libraries.reload()

    def uninstall(self) -> None:
        """Leaves every function's code as it was."""
        self._patch.uninstall()

    def look(self, now_ns: int, pause: Yield = lambda: native.sleep(0)) -> Observation:
        """What this probe alone sees."""
        observation = Observation()
        self._resources.begin()
        self.observe(observation, now_ns, pause)
        self._resources.show(observation, now_ns, pause)
        return observation

    def observe(self, observation: Observation, now_ns: int, pause: Yield) -> None:
        """All tasks and the resources between them."""
        self.recorder.refill(now_ns)
        self._libraries.activate_imported()
        self._classifier.refresh()
        observation.coverage += self._patch.coverage + self._libraries.coverage_notes()
        self._looks += 1
        self._loops.begin()
        failed = _Failures()
        met = self._discover_tasks(self._loops.tasks(), now_ns, pause, failed)
        if self._left_out:
            observation.coverage.append(f"{self._left_out} tasks of the process this was forked from are left out")
        living, holding = self._look_at_all(met, observation, now_ns, pause, failed)
        self._relations.hold(holding, self._last_look_ns)
        self._hold_of_pools(met, pause, failed)
        self._show(living, self._touched(met, now_ns, pause), observation, pause)
        if self._tasks.replaced or len(living) != len(self._tasks):
            ended = self._tasks.sweep(lambda record: record.last_look != self._looks, pause)
            self._report_ended(ended, observation, now_ns)
        while met:
            pause()
            del met[-_SHOWN_AT_ONCE:]
        if len(self._failed) >= _FAILED_MOST:
            self._failed = {key: known for key, known in self._failed.items() if known() is not None}
        observation.coverage += failed.told()
        self._last_look_ns = now_ns

    def _discover_tasks(  # noqa: C901  older than the limit, in each look: cut it with a measurement
        self, references: list[ref[asyncio.Task[Any]]], now_ns: int, pause: Yield, failed: _Failures
    ) -> list[KnownTask]:
        """All tasks with their records. Those of new ones are made first of all, so that each finds its parent."""
        known = self._tasks.table
        found: list[KnownTask] = []
        new: list[tuple[ref[asyncio.Task[Any]], TaskOrigin | None]] = []
        self._left_out = 0
        entry_of, add = known.get, found.append
        task = None
        for start in range(0, len(references), _MET_AT_ONCE):
            task = None
            self._between(pause)
            for reference in references[start : start + _MET_AT_ONCE]:
                task = reference()
                entry = entry_of(id(task))
                if entry is not None and (entry[0] is reference or entry[0]() is task):
                    add(entry)
                elif task is not None and task.done():
                    self._note_failure(task, reference)
                elif task is not None:
                    if not self._loops.is_alive(internals.loop_of(task)):
                        self._left_out += 1
                        continue
                    try:
                        origin = asyncio_tasks.origin_of(task)
                        if origin is not None:  # before any of them asks for its like
                            asyncio_tasks.learn_site(task, origin, self._sites)
                    except Exception as error:
                        failed.add(error)
                        continue
                    new.append((reference, origin))
        for number, (reference, origin) in enumerate(new):
            if number % _READ_AT_ONCE == 0:
                task = None
                self._between(pause)
            task = reference()
            if task is None:
                continue
            try:
                found.append(self._met(task, reference, origin, now_ns))
            except Exception as error:
                failed.add(error)
        return found

    def _note_failure(self, task: asyncio.Task[Any], reference: ref[asyncio.Task[Any]], name: str = "") -> None:
        """Tells of a task that an exception has ended, once. `name`: of its node; empty where no look has met it."""
        failure = internals.failure_of(task)
        known = None if failure is None else self._failed.get(id(task))
        if failure is None or len(self._failed) >= _FAILED_MOST or (known is not None and known() is task):
            return
        self._failed[id(task)] = reference
        self._context.failed(death_of(NodeKind.TASK, name or internals.task_name(task), failure))

    def _look_at_all(  # noqa: C901  older than the limit, in each look: cut it with a measurement
        self, met: list[KnownTask], observation: Observation, now_ns: int, pause: Yield, failed: _Failures
    ) -> tuple[list[TaskRecord], list[TaskRecord]]:
        """All that live, and those that hold something."""
        lines, looks = self._lines, self._looks
        task = future = None  # nothing of the program is in our hands while we wait
        began_ns = now_ns
        lines.begin(self._context.with_lines)
        self._due = []
        living: list[TaskRecord] = []
        holding: list[TaskRecord] = []
        putting_since_ns = now_ns
        work = 0  # since the last pause: 1 for a task that waits as before, more for one that is read
        for start in range(0, len(met), _MET_AT_ONCE):
            batch = met[start : start + _MET_AT_ONCE]
            task = future = None
            now_ns, work = began_ns + self._between(pause), 0
            if self._all_wait_as_before(batch):
                for _, record in batch:
                    record.last_look = looks
                    living.append(record)
                    if record.holds:
                        holding.append(record)
                    if record.puts_since_ns:
                        putting_since_ns = min(putting_since_ns, record.puts_since_ns)
                continue
            for reference, record in batch:
                work += 1
                if work >= _MET_AT_ONCE:
                    work = 0
                    task = future = None
                    now_ns = began_ns + self._between(pause)
                task = reference()
                if task is None:
                    continue
                waits_as_before = False
                if record.is_settled or (record.is_plain and (lines.first if record.matters else lines.rest) <= 0):
                    future = internals.waiter_of(task)
                    waits_as_before = (
                        future is not None
                        and record.future() is future  # pyright: ignore[reportOptionalCall]
                        and not future.done()
                        and task.cancelling() == record.cancel_requests
                    )
                if not waits_as_before and task.done():
                    self._note_failure(task, reference, record.name)
                    continue
                record.last_look = looks
                living.append(record)
                if not waits_as_before:
                    work += _MET_AT_ONCE // _QUICK_AT_ONCE
                    try:
                        if self._quick.read(task, record, now_ns):
                            if record.puts_since_ns:
                                putting_since_ns = min(putting_since_ns, record.puts_since_ns)
                            continue
                        work += _MET_AT_ONCE // _READ_AT_ONCE
                        one = self._look_at(task, record, now_ns, pause)
                    except Exception as error:
                        failed.add(error)
                        self._mark_not_waiting(task, record, "unknown", now_ns)
                        continue
                    if one is not None:
                        self._connect(one, now_ns, failed)
                    one = None
                if record.holds:
                    holding.append(record)
                if record.puts_since_ns:
                    putting_since_ns = min(putting_since_ns, record.puts_since_ns)
        self._putting_since_ns = putting_since_ns
        if lines.first <= 0 or lines.rest <= 0:
            observation.shed.append("source lines of some waiting tasks")
        return living, holding

    def _all_wait_as_before(self, batch: list[KnownTask]) -> bool:
        """Whether none of these needs to be read: most often, and told by iterators of C for all of them at once."""
        first, rest = self._lines.first <= 0, self._lines.rest <= 0
        for _, record in batch:
            if not record.is_settled and not (record.is_plain and (first if record.matters else rest)):
                return False
        tasks = [task for reference, _ in batch if (task := reference()) is not None]
        if len(tasks) != len(batch):
            return False
        futures: list[Any] = list(map(internals.waiter_of, tasks))
        before = [record.future() for _, record in batch]  # pyright: ignore[reportOptionalCall]
        if any(map(is_, futures, repeat(None))) or not all(map(is_, futures, before)):
            return False
        requests = [record.cancel_requests for _, record in batch]
        return not any(map(_FUTURE.done, futures)) and [_TASK.cancelling(task) for task in tasks] == requests

    def _between(self, pause: Yield) -> int:
        """Lets others run, or waits for the budget where there is one: for how long in this look so far."""
        if self._context.paced is not None:
            return self._context.paced()
        pause()
        return 0

    def _connect(self, one: ReadTask, now_ns: int, failed: _Failures) -> None:
        try:
            self._relations.connect(one, now_ns)
        except Exception as error:
            failed.add(error)
            one.record.edges = ()

    def _hold_of_pools(self, met: list[KnownTask], pause: Yield, failed: _Failures) -> None:
        """Who has what pools have lent. Of a task that has made no step since it was searched that is known."""
        if not self._pool_holders.wanted:
            return
        searched = 0
        for number, (reference, record) in enumerate(met):
            if number % _QUICK_AT_ONCE == 0:
                pause()
            wait = record.node.wait
            if wait is None:
                record.borrowed, record.borrowed_at = (), -1
                continue
            if record.borrowed_at != record.steps and searched < _SEARCHED_MOST:
                task = reference()
                searched += 1
                try:
                    found = () if task is None else self._pool_holders.of_task(chain(task.get_coro()))
                except Exception as error:
                    failed.add(error)
                    continue
                record.borrowed, record.borrowed_at = found, record.steps
            if record.borrowed_at == record.steps:
                self._pool_holders.hold(record.id, wait.since_ns, record.borrowed)

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

    # --- one task -----------------------------------------------------------------------------------------------------

    def _look_at(self, task: asyncio.Task[Any], record: TaskRecord, now_ns: int, pause: Yield) -> ReadTask | None:
        """Updates the task's record. Returns what its edges are to be made of, None where nothing has changed."""
        future = internals.awaited_future(task)
        requests = cancellation.requests(task)
        if future is None:
            if len(self._due) < _DUE_MOST:
                self._due.append(ref(task))
            state = asyncio_tasks.state_of(task, internals.loop_of(task))
            if record.future is not None or record.node.state != state or record.cancel_requests != requests:
                record.steps += record.future is not None or record.node.state == "waiting"
                record.cancel_requests = requests
                self._mark_not_waiting(task, record, state, now_ns)
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
            self._mark_not_waiting(
                task, record, "runnable", now_ns
            )  # it ran on while it was being read: that wait is over
            return None
        record.holds = self._relations.register_wait_and_holds(links, managers, waiting, record.source, now_ns)
        matters = waiting.operation.lines_first or bool(record.holds)
        at_once = same or bool(record.holds) or waiting.operation.lines_at_once
        with_lines = (same and record.has_lines) or (at_once and self._lines.grants(matters, bool(record.holds)))
        self._lines.note(record, matters, with_lines)
        record.is_plain = (
            record.future is not None
            and not waiting.operation.several
            and internals.is_plain(task)
            and internals.is_asyncio_future(future)
        )
        record.is_settled = record.is_plain and with_lines
        record.puts_since_ns = record.since_ns if waiting.operation.puts else 0
        if record.given:
            asyncio_tasks.name_after(record, (link.code for link in links))
        stack = asyncio_tasks.frames(links, with_lines)
        deadline_ns = self._deadline(task, waiting, managers, future, now_ns, pause)
        wait = asyncio_tasks.wait_of(waiting, links, stack, record.source, record.since_ns, deadline_ns)
        before = record.node.wait
        if before is not None and same and before.deadline_ns is not None and wait.deadline_ns is not None:
            wait.deadline_ns = before.deadline_ns  # two clocks: the same timer must not seem to move
        more = self._more(task, record, managers, now_ns)
        node = asyncio_tasks.node_of(record, "waiting", wait, stack, more)
        if node != record.node:
            record.node = node
        return ReadTask(record, waiting)

    def _mark_not_waiting(self, task: asyncio.Task[Any], record: TaskRecord, state: str, now_ns: int) -> None:
        """The task waits for nothing and what it holds cannot be read."""
        record.future, record.edges, record.holds = None, (), ()
        self._lines.note(record, False, False)
        record.is_plain = record.is_settled = False
        record.puts_since_ns = 0
        more = self._more(task, record, [], now_ns)
        record.node = asyncio_tasks.node_of(record, state, None, (), more)

    def _more(
        self, task: asyncio.Task[Any], record: TaskRecord, managers: list[Entered], now_ns: int
    ) -> dict[str, AttributeValue]:
        """All attributes of a task; those of a task that is being cancelled are its own."""
        attributes = self._attributes.of(task, record, now_ns)
        if record.cancel_requests > 0:
            more: dict[str, AttributeValue] = {}
            more[semconv.TASK_CANCEL_REQUESTS] = record.cancel_requests
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

    def _met(
        self,
        task: asyncio.Task[Any],
        reference: ref[asyncio.Task[Any]],
        origin: TaskOrigin | None,
        now_ns: int,
    ) -> KnownTask:
        """A task seen for the first time, with its record."""
        known = self._tasks.table.get(id(task))
        if known is not None and known[0]() is task:  # one that was among them twice
            return known
        created = now_ns if origin is None else origin.time_ns
        kind = self._kinds.of(task.get_coro(), self._loops.number(internals.loop_of(task)))
        node_id = self._ids.new(NodeKind.TASK, created)
        record = asyncio_tasks.new_record(task, origin, node_id, created, kind, self._sites)
        if record.sequence:
            self._by_sequence[record.sequence] = record.id
        return self._tasks.put_reference(id(task), reference, record)

    def task_nodes(self, addresses: AbstractSet[int]) -> dict[int, str]:
        """The node of each task that was met at one of these addresses and still lives."""
        entries = ((address, self._tasks.table.get(address)) for address in addresses)
        return {address: entry[1].id for address, entry in entries if entry is not None and entry[0]() is not None}

    def node_id(self, task: asyncio.Task[Any]) -> str | None:
        """The node of a task that a look has met. On any thread."""
        return self._id_of(task)

    def references(self, node_ids: AbstractSet[str]) -> dict[str, ref[asyncio.Task[Any]]]:
        """Weak references to the tasks of these nodes. On the watcher's thread."""
        return {record.id: task for task, record in self._tasks.records() if record.id in node_ids}

    def loops(self) -> list[asyncio.AbstractEventLoop]:
        """The event loops that tasks were met on. On the watcher's thread, as `due`."""
        return self._loops.living()

    def is_alive(self, loop: asyncio.AbstractEventLoop) -> bool:
        """False for a loop that a forked child has from its parent and does not run."""
        return self._loops.is_alive(loop)

    def due(self) -> list[asyncio.Task[Any]]:
        """The tasks that the last look found waiting for nothing; not all of them where there are many."""
        return [task for reference in self._due if (task := reference()) is not None]

    def _id_of(self, task: asyncio.Task[Any]) -> str | None:
        record = self._tasks.get(task)
        return None if record is None else record.id

    def _id_at(self, address: int) -> str | None:
        entry = self._tasks.table.get(address)
        return None if entry is None or entry[0]() is None else entry[1].id

    def _touched(self, met: list[KnownTask], now_ns: int, pause: Yield) -> dict[str, tuple[Edge, ...]]:
        """Who has a channel in his hands that somebody has been waiting to put into, or the other end of a connection
        at which nothing moves."""
        full = self._resources.far_ends(now_ns)
        if now_ns - self._putting_since_ns >= _LONG_NS:
            full |= self._resources.full_channels()
        return channel_users.touches(full, [reference for reference, _ in met], self._id_of, pause) if full else {}

    def _report_ended(self, records: list[TaskRecord], observation: Observation, now_ns: int) -> None:
        for record in records:
            self._lines.note(record, False, False)
            self._by_sequence.pop(record.sequence, None)
            observation.ended.append(
                EndedTask(record.name, record.source, record.sequence, record.created_ns, self._last_look_ns, now_ns)
            )


class _Failures:
    """Tasks that could not be read in one look, by the type of the error."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def add(self, error: Exception) -> None:
        name = type(error).__name__
        self._counts[name] = self._counts.get(name, 0) + 1

    def told(self) -> list[str]:
        return [f"{count} tasks could not be read: {name}" for name, count in self._counts.items()]
