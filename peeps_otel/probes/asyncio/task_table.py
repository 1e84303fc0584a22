# SPDX-License-Identifier: Apache-2.0
"""Which tasks there are: each with its node from the first look that meets it to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Any

from ...model import NodeKind
from ..context import ProbeContext
from ..deaths.death import death_of
from ..internals import asyncio_core as internals
from ..probe import EndedTask, Observation
from . import tasks as asyncio_tasks
from .backlog import Backlog, NewTask
from .failures import Failures
from .line_budget import LineBudget
from .loops import Loops
from .met_before import Met, Reference, met_before
from .roster import Roster
from .task_record import TaskRecord
from .tasks import CreationSites, TaskKinds
from .wait_shapes import Shapes

_READ_AT_ONCE = 20  # tasks between two chances for the other threads to run
_MET_AT_ONCE = 200
_FAILED_MOST = 1000


class TaskTable:
    """For the watcher thread only, but for `id_of`.

    `by_sequence`: nodes by the number that the recorder gave the task. `left_out`: how many tasks the last look met
    that are of the process this one was forked from. `unread`: how many it has left for later ones. `roster`: those
    that have a record and were not reported to have ended.
    """

    def __init__(self, context: ProbeContext, loops: Loops, shapes: Shapes) -> None:
        self._context = context
        self._loops = loops
        self._backlog = Backlog(shapes)
        self._tasks: dict[int, TaskRecord] = {}  # by address
        self.roster = Roster()
        self._met = Met([], bytearray())  # of whom nothing is to be asked: met, or over
        self._sites = CreationSites()
        self._kinds = TaskKinds()
        self._failed: dict[int, Reference] = {}  # those that had ended when they were first seen
        self.by_sequence: dict[int, str] = {}
        self.left_out = self.unread = 0

    def discover(self, now_ns: int, between: Callable[[], int], failed: Failures) -> None:
        """Adds the new tasks to the roster. Their records are made first of all, so that each finds its parent.
        `between` lets others run: no object of the program is in our hands then."""
        new = self._new(between, failed)
        task = None
        late = self.unread + len(new)
        new = self._backlog.take(new, self._context.new_tasks_most, between)
        self.unread = self._context.unread_tasks = max(0, late - len(new))
        for number, reference in enumerate(new):
            if number % _READ_AT_ONCE == 0:
                task = None
                between()
            task = reference()
            if task is None:
                continue
            try:
                self._meet(task, reference, now_ns)
            except Exception as error:
                failed.add(error)

    def _new(self, between: Callable[[], int], failed: Failures) -> list[NewTask]:
        """Those that have no record, and do not wait for one already."""
        references = self._loops.tasks()
        are_met = met_before(references, self._met, between)
        new: list[NewTask] = []
        self.left_out = self.unread = 0
        asked = 0
        place = are_met.find(0)
        while place >= 0:
            if asked % _MET_AT_ONCE == 0:
                self._context.tell_unread(self.unread + len(new))
                between()
            asked += 1
            are_met[place] = self._is_met(references[place], new, failed)
            place = are_met.find(0, place + 1)
        self._met = Met(references, are_met)
        return new

    def _is_met(self, reference: Reference, new: list[NewTask], failed: Failures) -> bool:
        """Whether it has a record or is over, so that it need not be asked for again; appends one that has none."""
        task = reference()
        if task is None:
            return True
        if self._record_of(task) is not None:
            return True
        if task.done():
            self.note_failure(task, reference)
            return True
        if self._backlog.has(id(task), reference):
            self.unread += 1
            return False
        if not self._loops.is_alive(internals.loop_of(task)):
            self.left_out += 1
            return False
        try:
            origin = asyncio_tasks.origin_of(task)
            if origin is not None:  # before any of them asks for its like
                asyncio_tasks.learn_site(task, origin, self._sites)
        except Exception as error:
            failed.add(error)
            return False
        new.append(reference)
        return False

    def _meet(self, task: asyncio.Task[Any], reference: Reference, now_ns: int) -> None:
        """A task seen for the first time."""
        if self._record_of(task) is not None:  # one that was among them twice
            return
        origin = asyncio_tasks.origin_of(task)
        created = now_ns if origin is None else origin.time_ns
        kind = self._kinds.of(task.get_coro(), self._loops.number(internals.loop_of(task)))
        node_id = self._context.ids.new(NodeKind.TASK, created)
        record = asyncio_tasks.new_record(task, reference, origin, node_id, created, kind, self._sites)
        if record.sequence:
            self.by_sequence[record.sequence] = record.id
        self._tasks[record.address] = record
        self.roster.add(record)

    # --- those that have ended ----------------------------------------------------------------------------------------

    def note_failure(self, task: asyncio.Task[Any], reference: Reference, name: str = "") -> None:
        """Tells of a task that an exception has ended, once. `name`: of its node; empty where no look has met it."""
        failure = internals.failure_of(task)
        known = None if failure is None else self._failed.get(id(task))
        if failure is None or len(self._failed) >= _FAILED_MOST or (known is not None and known() is task):
            return
        self._failed[id(task)] = reference
        self._context.failed(death_of(NodeKind.TASK, name or internals.task_name(task), failure))

    def report_ended(
        self, ended: list[TaskRecord], lines: LineBudget, observation: Observation, last_look_ns: int, now_ns: int
    ) -> None:
        """Those that this look has not met any more."""
        for record in ended:
            if self._tasks.get(record.address) is record:  # not another one there
                del self._tasks[record.address]
            lines.note(record, False, False)
            self.by_sequence.pop(record.sequence, None)
            observation.ended.append(
                EndedTask(record.name, record.source, record.sequence, record.created_ns, last_look_ns, now_ns)
            )
        if ended:
            self.roster.tidy()
        if len(self._failed) >= _FAILED_MOST:
            self._failed = {key: known for key, known in self._failed.items() if known() is not None}

    def __len__(self) -> int:
        return len(self._tasks)

    # --- who is who ---------------------------------------------------------------------------------------------------

    def _record_of(self, task: asyncio.Task[Any]) -> TaskRecord | None:
        record = self._tasks.get(id(task))
        return record if record is not None and record.reference() is task else None

    def id_of(self, task: asyncio.Task[Any]) -> str | None:
        """The node of a task that a look has met. On any thread."""
        record = self._record_of(task)
        return None if record is None else record.id

    def id_or_hurry(self, task: asyncio.Task[Any]) -> str | None:
        """The same; one that is still to be read is read next, for somebody waits for it."""
        found = self.id_of(task)
        if found is None and len(self._backlog):
            self._backlog.want(task)
        return found

    def id_at(self, address: int) -> str | None:
        """The node of the task at this address."""
        record = self._tasks.get(address)
        return None if record is None or record.reference() is None else record.id

    def nodes_at(self, addresses: AbstractSet[int]) -> dict[int, str]:
        """The node of each task that was met at one of these addresses and still lives."""
        return {address: node_id for address in addresses if (node_id := self.id_at(address)) is not None}

    def references(self, node_ids: AbstractSet[str]) -> dict[str, Reference]:
        """Weak references to the tasks of these nodes."""
        return {record.id: record.reference for record in list(self._tasks.values()) if record.id in node_ids}
