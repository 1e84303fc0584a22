# SPDX-License-Identifier: Apache-2.0
"""The asyncio probe: install, uninstall, look."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Set as AbstractSet
from typing import Any
from weakref import ref

from ... import native
from ...model import Edge
from ...model.coverage import blind
from ..context import ProbeContext
from ..internals import asyncio_core as internals
from ..internals import suspended_at
from ..internals.await_chain import chain
from ..kept import Keeper
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
from .roster import BATCH
from .task_reader import TaskReader
from .task_record import TaskRecord
from .task_table import TaskTable
from .tasks import TaskAttributes
from .wait_shapes import Shapes
from .waits import Classifier

_LINES_MOST = 2000
_READ_AT_ONCE = 20  # tasks between two chances for the other threads to run
_QUICK_AT_ONCE = 50
_LONG_NS = 1_000_000_000
_SHOWN_AT_ONCE = 500
_SEARCHED_MOST = 1000


class AsyncioProbe:
    """Sees every asyncio task of the process and what it waits for.

    A `Probe`. `lines_most`: for how many tasks at a time source lines are resolved; None: for all where that makes no
    frame objects, else for two thousand. `patch`: one that is installed already, and outlives this probe.
    """

    name = "asyncio"

    def __init__(
        self,
        recorder: Recorder,
        lines_most: int | None = None,
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
        self._lines = LineBudget(_LINES_MOST if lines_most is None and not suspended_at.is_read else lines_most)
        attributes = TaskAttributes(self._context, self._loops, self._table.by_sequence)
        self._quick = FastPathReader(shapes, self._resources, self._libraries, self._lines, attributes)
        self._reader = TaskReader(
            self._classifier, self._relations, self._libraries, self._lines, attributes, self._loops, self._table.id_of
        )
        self._keeper = Keeper()
        self._touching: dict[str, tuple[Edge, ...]] = {}  # the edges of those that have something in their hands
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
        self._loops.begin()
        self._context.begin_look()
        failed = Failures()
        self._table.discover(now_ns, lambda: self._between(pause), failed)
        if self._table.left_out:
            observation.coverage.append(
                f"{self._table.left_out} tasks of the process this was forked from are left out"
            )
        if self._table.unread:
            observation.coverage.append(blind(f"{self._table.unread:,} new tasks have not been looked at yet"))
        read, ended = self._look_at_all(observation, now_ns, pause, failed)
        self._hold_of_pools(pause, failed)
        for record in ended:
            self._relations.ended(record)
            self._keeper.hide(record.id)
        self._table.report_ended(ended, self._lines, observation, self._last_look_ns, now_ns)
        self._show(read, self._touched(now_ns, pause), observation, pause)
        observation.coverage += failed.told()
        self._last_look_ns = now_ns

    def forget(self) -> None:
        """A look has failed in the middle: the next one shows everything."""
        for record in self._table.roster.records():
            self._keeper.hide(record.id)
        self._keeper.forget()

    def _look_at_all(
        self, observation: Observation, now_ns: int, pause: Yield, failed: Failures
    ) -> tuple[list[TaskRecord], list[TaskRecord]]:
        """Those that were read, and those that have ended."""
        lines = self._lines
        lines.begin(self._context.with_lines, self._context.hurries)
        self._reader.due = []
        read: list[TaskRecord] = []
        ended: list[TaskRecord] = []
        putting_since_ns = now_ns
        for batch in self._table.roster.batches:
            waited_ns = self._between(pause)
            places = batch.changed(lines.first > 0, lines.rest > 0)
            if places:
                records = batch.records
                some = records if len(places) == len(records) else [records[place] for place in places]
                living = self._look_at_batch(some, now_ns, waited_ns, pause, failed, read)
                ended += batch.keep(places, living)
            if batch.puts_since_ns:
                putting_since_ns = min(putting_since_ns, batch.puts_since_ns)
        self._putting_since_ns = putting_since_ns
        if lines.first <= 0 or lines.rest <= 0:
            observation.shed.append("source lines of some waiting tasks")
        return read, ended

    def _look_at_batch(
        self,
        batch: list[TaskRecord],
        began_ns: int,
        waited_ns: int,
        pause: Yield,
        failed: Failures,
        read: list[TaskRecord],
    ) -> list[TaskRecord]:
        """Those of them that live; appends those that were read to `read`. `waited_ns`: for how long the look that
        began at `began_ns` has waited so far."""
        lines = self._lines
        task = future = None  # nothing of the program is in our hands while we wait
        seen: list[TaskRecord] = []
        now_ns = began_ns + waited_ns
        work = 0  # since the last pause: 1 for a task that waits as before, more for one that is read
        for record in batch:
            work += 1
            if work >= BATCH:
                work = 0
                task = future = None
                now_ns = began_ns + self._between(pause)
            task = record.reference()
            if task is None:
                continue
            waits_as_before = False
            if record.is_settled or (record.is_plain and (lines.first if record.matters else lines.rest) <= 0):
                future = internals.waiter_of(task)
                waits_as_before = (
                    future is not None
                    and record.future() is future  # pyright: ignore[reportOptionalCall]  # a weak reference once it is in the table
                    and not future.done()
                    and task.cancelling() == record.known().cancel_requests
                )
            if not waits_as_before and task.done():
                self._table.note_failure(task, record.reference, record.name)
                continue
            seen.append(record)
            if not waits_as_before:
                read.append(record)
                work += BATCH // _QUICK_AT_ONCE
                if not self._read(task, record, now_ns, pause, failed):
                    work += BATCH // _READ_AT_ONCE
        return seen

    def _read(self, task: asyncio.Task[Any], record: TaskRecord, now_ns: int, pause: Yield, failed: Failures) -> bool:
        """Brings the record up to date, and what it waits and waited for. True where that was quick."""
        held, edges = record.known().holds, record.edges
        quick = self._read_wait(task, record, now_ns, pause, failed)
        if held or record.known().holds:
            self._relations.rehold(record, held, self._last_look_ns)
        self._relations.touch(edges)
        if record.edges is not edges:
            self._relations.touch(record.edges)
        return quick

    def _read_wait(
        self, task: asyncio.Task[Any], record: TaskRecord, now_ns: int, pause: Yield, failed: Failures
    ) -> bool:
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

    def _hold_of_pools(self, pause: Yield, failed: Failures) -> None:
        """Who has what pools have lent. Of a task that has made no step since it was searched that is known."""
        if not self._pool_holders.wanted:
            return
        searched = 0
        for number, record in enumerate(self._table.roster.records()):
            if number % _QUICK_AT_ONCE == 0:
                pause()
            wait = record.node.wait
            if wait is None:
                if record.further is not None:
                    record.further.borrowed, record.further.borrowed_at = (), -1
                continue
            if record.known().borrowed_at != record.steps and searched < _SEARCHED_MOST:
                task = record.reference()
                searched += 1
                try:
                    found = () if task is None else self._pool_holders.of_task(chain(task.get_coro()))
                except Exception as error:
                    failed.add(error)
                    continue
                further = record.more()
                further.borrowed, further.borrowed_at = found, record.steps
            if record.known().borrowed_at == record.steps:
                self._pool_holders.hold(record.id, wait.since_ns, record.known().borrowed)

    def _show(
        self, read: list[TaskRecord], touched: dict[str, tuple[Edge, ...]], observation: Observation, pause: Yield
    ) -> None:
        """`read`: those that may have changed. `touched`: what somebody has in his hands."""
        if self._keeper.is_new(observation):
            read = self._table.roster.records()
        elif touched or self._touching:
            ids = touched.keys() | self._touching.keys()
            read += [record for record in self._table.roster.records() if record.id in ids]
        before, self._touching = self._touching, {}
        for number, record in enumerate(read):
            if number % _SHOWN_AT_ONCE == 0:
                pause()
            edges = record.edges
            if touched and record.id in touched:
                edges += touched[record.id]
                known = before.get(record.id)
                edges = self._touching[record.id] = known if known is not None and known == edges else edges
            self._keeper.show(observation, record.node, edges)

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

    def _touched(self, now_ns: int, pause: Yield) -> dict[str, tuple[Edge, ...]]:
        """Who has a channel in his hands that somebody has been waiting to put into, or the other end of a connection
        at which nothing moves."""
        full = self._resources.far_ends(now_ns)
        if now_ns - self._putting_since_ns >= _LONG_NS:
            full |= self._resources.full_channels()
        if not full:
            return {}
        references = [record.reference for record in self._table.roster.records()]
        return channel_users.touches(full, references, self._table.id_of, pause)
