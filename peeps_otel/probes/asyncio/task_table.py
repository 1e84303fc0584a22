# SPDX-License-Identifier: Apache-2.0
"""Which tasks there are: each with its node from the first look that meets it to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Any
from weakref import ref

from ...model import NodeKind
from ..context import ProbeContext
from ..deaths.death import death_of
from ..identity import Identities
from ..internals import asyncio_core as internals
from ..patches.recorder import TaskOrigin
from ..probe import EndedTask, Observation, Yield
from . import tasks as asyncio_tasks
from .backlog import Backlog, NewTask
from .failures import Failures
from .line_budget import LineBudget
from .loops import Loops
from .tasks import CreationSites, TaskKinds, TaskRecord
from .wait_shapes import Shapes

_READ_AT_ONCE = 20  # tasks between two chances for the other threads to run
_MET_AT_ONCE = 200
_FAILED_MOST = 1000

KnownTask = tuple[ref[asyncio.Task[Any]], TaskRecord]
Reference = ref[asyncio.Task[Any]]


def _is_new(_address: int, _reference: Reference) -> bool:
    return False


class TaskTable:
    """For the watcher thread only, but for `id_of`.

    `by_sequence`: nodes by the number that the recorder gave the task. `left_out`: how many tasks the last look met
    that are of the process this one was forked from. `unread`: how many it has left for later ones.
    """

    def __init__(self, context: ProbeContext, loops: Loops, shapes: Shapes) -> None:
        self._context = context
        self._loops = loops
        self._backlog = Backlog(shapes)
        self._tasks: Identities[TaskRecord] = Identities()
        self._sites = CreationSites()
        self._kinds = TaskKinds()
        self._failed: dict[int, Reference] = {}  # those that had ended when they were first seen
        self.by_sequence: dict[int, str] = {}
        self.left_out = self.unread = 0

    def discover(self, now_ns: int, between: Callable[[], int], failed: Failures) -> list[KnownTask]:
        """All tasks with their records. Those of new ones are made first of all, so that each finds its parent.
        `between` lets others run: no object of the program is in our hands then."""
        found, new = self._known_and_new(between, failed)
        task = None
        late = self.unread + len(new)
        new = self._backlog.take(new, self._context.new_tasks_most, between)
        self.unread = self._context.unread_tasks = max(0, late - len(new))
        for number, (reference, origin) in enumerate(new):
            if number % _READ_AT_ONCE == 0:
                task = None
                between()
            task = reference()
            if task is None:
                continue
            try:
                found.append(self._met(task, reference, origin, now_ns))
            except Exception as error:
                failed.add(error)
        return found

    def _known_and_new(self, between: Callable[[], int], failed: Failures) -> tuple[list[KnownTask], list[NewTask]]:
        """Those that have a record, and those that have none and do not wait for one already."""
        references = self._loops.tasks()
        found: list[KnownTask] = []
        new: list[NewTask] = []
        self.left_out = self.unread = 0
        late = self._backlog.has if len(self._backlog) else _is_new
        entry_of, add = self._tasks.table.get, found.append
        task = None
        for start in range(0, len(references), _MET_AT_ONCE):
            task = None
            self._context.tell_unread(self.unread + len(new))
            between()
            for reference in references[start : start + _MET_AT_ONCE]:
                task = reference()
                entry = entry_of(id(task))
                if entry is not None and (entry[0] is reference or entry[0]() is task):
                    add(entry)
                elif task is not None and task.done():
                    self.note_failure(task, reference)
                elif task is not None and late(id(task), reference):
                    self.unread += 1
                elif task is not None:
                    if not self._loops.is_alive(internals.loop_of(task)):
                        self.left_out += 1
                        continue
                    try:
                        origin = asyncio_tasks.origin_of(task)
                        if origin is not None:  # before any of them asks for its like
                            asyncio_tasks.learn_site(task, origin, self._sites)
                    except Exception as error:
                        failed.add(error)
                        continue
                    new.append((reference, origin))
        return found, new

    def _met(
        self,
        task: asyncio.Task[Any],
        reference: Reference,
        origin: TaskOrigin | None,
        now_ns: int,
    ) -> KnownTask:
        """A task seen for the first time, with its record."""
        known = self._tasks.table.get(id(task))
        if known is not None and known[0]() is task:  # one that was among them twice
            return known
        created = now_ns if origin is None else origin.time_ns
        kind = self._kinds.of(task.get_coro(), self._loops.number(internals.loop_of(task)))
        node_id = self._context.ids.new(NodeKind.TASK, created)
        record = asyncio_tasks.new_record(task, origin, node_id, created, kind, self._sites)
        if record.sequence:
            self.by_sequence[record.sequence] = record.id
        return self._tasks.put_reference(id(task), reference, record)

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
        self,
        living: int,
        looks: int,
        lines: LineBudget,
        observation: Observation,
        last_look_ns: int,
        now_ns: int,
        pause: Yield,
    ) -> None:
        """Those that this look, the `looks`-th, has not met any more. `living`: how many it has."""
        if self._tasks.replaced or living != len(self._tasks):
            for record in self._tasks.sweep(lambda record: record.last_look != looks, pause):
                lines.note(record, False, False)
                self.by_sequence.pop(record.sequence, None)
                observation.ended.append(
                    EndedTask(record.name, record.source, record.sequence, record.created_ns, last_look_ns, now_ns)
                )
        if len(self._failed) >= _FAILED_MOST:
            self._failed = {key: known for key, known in self._failed.items() if known() is not None}

    def __len__(self) -> int:
        return len(self._tasks)

    # --- who is who ---------------------------------------------------------------------------------------------------

    def id_of(self, task: asyncio.Task[Any]) -> str | None:
        """The node of a task that a look has met. On any thread."""
        record = self._tasks.get(task)
        return None if record is None else record.id

    def id_or_hurry(self, task: asyncio.Task[Any]) -> str | None:
        """The same; one that is still to be read is read next, for somebody waits for it."""
        found = self.id_of(task)
        if found is None and len(self._backlog):
            self._backlog.want(task)
        return found

    def id_at(self, address: int) -> str | None:
        """The node of the task at this address."""
        entry = self._tasks.table.get(address)
        return None if entry is None or entry[0]() is None else entry[1].id

    def nodes_at(self, addresses: AbstractSet[int]) -> dict[int, str]:
        """The node of each task that was met at one of these addresses and still lives."""
        entries = ((address, self._tasks.table.get(address)) for address in addresses)
        return {address: entry[1].id for address, entry in entries if entry is not None and entry[0]() is not None}

    def references(self, node_ids: AbstractSet[str]) -> dict[str, Reference]:
        """Weak references to the tasks of these nodes."""
        return {record.id: task for task, record in self._tasks.records() if record.id in node_ids}
