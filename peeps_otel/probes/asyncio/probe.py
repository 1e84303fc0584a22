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

from ... import native
from ...model import Edge
from ...model.coverage import blind
from ..context import ProbeContext
from ..internals import asyncio_core as internals
from ..internals.await_chain import chain
from ..library_registry import installed
from ..patches.asyncio_runtime import AsyncioPatch
from ..patches.recorder import Recorder
from ..pools.holders import PoolHolders
from ..probe import Observation, Yield
from . import channel_users
from .failures import Failures
from .fast_path import FastPathReader
from .line_budget import LineBudget
from .loops import Loops
from .relations import ReadTask, Relations
from .task_reader import TaskReader
from .task_table import KnownTask, TaskTable
from .tasks import TaskAttributes, TaskRecord
from .wait_shapes import Shapes
from .waits import Classifier

_READ_AT_ONCE = 20  # tasks between two chances for the other threads to run
_QUICK_AT_ONCE = 50
_LONG_NS = 1_000_000_000
_SHOWN_AT_ONCE = 500
_MET_AT_ONCE = 200
_SEARCHED_MOST = 1000


_FUTURE, _TASK = cast("Any", asyncio.Future), cast("Any", asyncio.Task)  # their own functions, whatever a subclass does


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
        self._putting_since_ns = 0
        self._context = context or ProbeContext()
        self._libraries = self._context.libraries
        self._libraries.activate_imported()
        self._classifier = Classifier(self._libraries)
        self._loops = Loops(self._context.inherited)
        shapes = Shapes(self._classifier)
        self._table = TaskTable(self._context, self._loops, shapes)
        self._context.task_id = self._table.id_of
        self._resources = self._context.resources
        self._resources.task_id, self._resources.task_at = self._table.id_or_hurry, self._table.id_at
        self._resources.flows.loops = self.loops
        self._relations = Relations(self._context, self._classifier, self._table.id_or_hurry)
        self._pool_holders = PoolHolders(self._libraries, self._resources)
        self._lines = LineBudget(lines_most)
        attributes = TaskAttributes(self._context, self._loops, self._table.by_sequence)
        self._quick = FastPathReader(shapes, self._resources, self._libraries, self._lines, attributes)
        self._reader = TaskReader(
            self._classifier, self._relations, self._libraries, self._lines, attributes, self._loops, self._table.id_of
        )
        self._looks = 0
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
        failed = Failures()
        met = self._table.discover(now_ns, lambda: self._between(pause), failed)
        if self._table.left_out:
            observation.coverage.append(
                f"{self._table.left_out} tasks of the process this was forked from are left out"
            )
        if self._table.unread:
            observation.coverage.append(blind(f"{self._table.unread:,} new tasks have not been looked at yet"))
        living, holding = self._look_at_all(met, observation, now_ns, pause, failed)
        self._relations.hold(holding, self._last_look_ns)
        self._hold_of_pools(met, pause, failed)
        self._show(living, self._touched(met, now_ns, pause), observation, pause)
        self._table.report_ended(len(living), self._looks, self._lines, observation, self._last_look_ns, now_ns, pause)
        while met:
            pause()
            del met[-_SHOWN_AT_ONCE:]
        observation.coverage += failed.told()
        self._last_look_ns = now_ns

    def _look_at_all(
        self, met: list[KnownTask], observation: Observation, now_ns: int, pause: Yield, failed: Failures
    ) -> tuple[list[TaskRecord], list[TaskRecord]]:
        """All that live, and those that hold something."""
        lines, looks = self._lines, self._looks
        lines.begin(self._context.with_lines)
        self._reader.due = []
        living: list[TaskRecord] = []
        holding: list[TaskRecord] = []
        putting_since_ns = now_ns
        for start in range(0, len(met), _MET_AT_ONCE):
            batch = met[start : start + _MET_AT_ONCE]
            waited_ns = self._between(pause)
            if self._all_wait_as_before(batch):
                seen = [record for _, record in batch]
            else:
                seen = self._look_at_batch(batch, now_ns, waited_ns, pause, failed)
            living += seen
            for record in seen:
                record.last_look = looks
                if record.holds:
                    holding.append(record)
                if record.puts_since_ns:
                    putting_since_ns = min(putting_since_ns, record.puts_since_ns)
        self._putting_since_ns = putting_since_ns
        if lines.first <= 0 or lines.rest <= 0:
            observation.shed.append("source lines of some waiting tasks")
        return living, holding

    def _look_at_batch(
        self, batch: list[KnownTask], began_ns: int, waited_ns: int, pause: Yield, failed: Failures
    ) -> list[TaskRecord]:
        """Those of them that live. `waited_ns`: for how long the look that began at `began_ns` has waited so far."""
        lines = self._lines
        task = future = None  # nothing of the program is in our hands while we wait
        seen: list[TaskRecord] = []
        now_ns = began_ns + waited_ns
        work = 0  # since the last pause: 1 for a task that waits as before, more for one that is read
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
                self._table.note_failure(task, reference, record.name)
                continue
            seen.append(record)
            if not waits_as_before:
                work += _MET_AT_ONCE // _QUICK_AT_ONCE
                if not self._read(task, record, now_ns, pause, failed):
                    work += _MET_AT_ONCE // _READ_AT_ONCE
        return seen

    def _read(self, task: asyncio.Task[Any], record: TaskRecord, now_ns: int, pause: Yield, failed: Failures) -> bool:
        """Brings the record up to date. True where that was quick."""
        try:
            if self._quick.read(task, record, now_ns):
                return True
            one = self._reader.read(task, record, now_ns, pause)
        except Exception as error:
            failed.add(error)
            self._reader.mark_not_waiting(task, record, "unknown", now_ns)
            return False
        if one is not None:
            self._connect(one, now_ns, failed)
        return False

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

    def _connect(self, one: ReadTask, now_ns: int, failed: Failures) -> None:
        try:
            self._relations.connect(one, now_ns)
        except Exception as error:
            failed.add(error)
            one.record.edges = ()

    def _hold_of_pools(self, met: list[KnownTask], pause: Yield, failed: Failures) -> None:
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

    def task_nodes(self, addresses: AbstractSet[int]) -> dict[int, str]:
        """The node of each task that was met at one of these addresses and still lives."""
        return self._table.nodes_at(addresses)

    def node_id(self, task: asyncio.Task[Any]) -> str | None:
        """The node of a task that a look has met. On any thread."""
        return self._table.id_of(task)

    def references(self, node_ids: AbstractSet[str]) -> dict[str, ref[asyncio.Task[Any]]]:
        """Weak references to the tasks of these nodes. On the watcher's thread."""
        return self._table.references(node_ids)

    def loops(self) -> list[asyncio.AbstractEventLoop]:
        """The event loops that tasks were met on. On the watcher's thread, as `due`."""
        return self._loops.living()

    def is_alive(self, loop: asyncio.AbstractEventLoop) -> bool:
        """False for a loop that a forked child has from its parent and does not run."""
        return self._loops.is_alive(loop)

    def due(self) -> list[asyncio.Task[Any]]:
        """The tasks that the last look found waiting for nothing; not all of them where there are many."""
        return [task for reference in self._reader.due if (task := reference()) is not None]

    def _touched(self, met: list[KnownTask], now_ns: int, pause: Yield) -> dict[str, tuple[Edge, ...]]:
        """Who has a channel in his hands that somebody has been waiting to put into, or the other end of a connection
        at which nothing moves."""
        full = self._resources.far_ends(now_ns)
        if now_ns - self._putting_since_ns >= _LONG_NS:
            full |= self._resources.full_channels()
        return (
            channel_users.touches(full, [reference for reference, _ in met], self._table.id_of, pause) if full else {}
        )
