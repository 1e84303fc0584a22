# SPDX-License-Identifier: Apache-2.0
"""The asyncio probe: install, uninstall, look."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Callable
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple, cast
from weakref import ref

import wrapt

from ..model import Confidence, Edge, EdgeKind, NodeKind
from . import asyncio_internals as internals
from . import asyncio_rewrites, asyncio_tasks
from .asyncio_resources import Held, Resources
from .asyncio_tasks import Holds, TaskRecord
from .asyncio_waits import Classifier, Waiting
from .await_chain import Entered, Link, chain, entered
from .deadlines import earliest
from .identity import Identities
from .observation import EndedTask, Observation, Yield
from .recorder import Recorder
from .shared import Shared

_YIELD_EVERY = 50  # tasks between two chances for the other threads to run
_LONG_NS = 1_000_000_000
_TOUCHES_MOST = 5000
_HANDS_MOST = 200
_NOT_HANDS = (type, ModuleType, FunctionType, BuiltinFunctionType, CodeType, str, int, bytes)
_OWN_RESOURCES = ("lock", "semaphore", "event", "condition", "queue", "barrier")


class _Seen(NamedTuple):
    record: TaskRecord
    waiting: Waiting


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
        self.forget()

    def install(self) -> None:
        """Rewrites asyncio in place. What cannot be rewritten is said in the coverage of each look."""
        if self._undo:
            return
        if not internals.VERSION_CHECKED:
            version = ".".join(map(str, sys.version_info[:2]))
            self._coverage.append(f"this Python ({version}) was not checked: holders and waits may be missing")
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
        self._ids = self._shared.ids
        self._tasks: Identities[TaskRecord] = Identities()
        self._resources = Resources(self._ids)
        self._loops: Identities[int] = Identities()
        self._by_sequence: dict[int, str] = {}
        self._last_look_ns = time.time_ns()

    def look(self, now_ns: int, pause: Yield = lambda: time.sleep(0)) -> Observation:
        """What this probe alone sees."""
        observation = Observation()
        self.observe(observation, now_ns, pause)
        return observation

    def observe(self, observation: Observation, now_ns: int, pause: Yield) -> None:
        """All tasks and the resources between them."""
        observation.coverage += self._coverage
        tasks = internals.live_tasks()
        budget = self._lines_most
        seen: list[_Seen] = []
        dead = self._tasks.forget_dead()  # before a new task takes the address of one of them
        records = [self._met(task, now_ns) for task in tasks]  # all first, so that each finds its parent
        for number, (task, record) in enumerate(zip(tasks, records, strict=True)):
            if number % _YIELD_EVERY == 0:
                pause()
            one = None if record is None else self._look_at(task, record, now_ns, budget > 0)
            if one is not None:
                budget -= one.record.has_lines
                seen.append(one)
        if budget <= 0:
            observation.shed.append("source lines of some waiting tasks")
        self._resources.look(self._held(), self._id_of, now_ns)
        for one in seen:
            self._connect(one)
        touched = self._touches(tasks, now_ns, pause)
        for record in records:
            if record is not None:
                observation.nodes[record.id] = record.node
                edges = record.edges + touched.get(record.id, ())
                if edges != record.shown:
                    record.shown = edges
                observation.edges[record.id] = record.shown
        for resource in self._resources.records():
            for node in resource.nodes:
                observation.nodes[node.id] = node
            observation.edges.update(resource.edges)
        self._bury(dead + self._tasks.keep_only(tasks), observation, now_ns)
        self._last_look_ns = now_ns

    # --- one task -----------------------------------------------------------------------------------------------------

    def _look_at(self, task: asyncio.Task[Any], record: TaskRecord, now_ns: int, lines_left: bool) -> _Seen | None:
        """Updates the task's record. Returns what its edges are to be made of, None where nothing has changed."""
        future = internals.awaited_future(task)
        loop = internals.loop_of(task)
        if future is None:
            state = asyncio_tasks.state_of(task, loop)
            if record.future is not None or record.node.state != state:
                record.steps += record.future is not None or record.node.state == "waiting"
                self._goes_on(record, state)
            return None
        same = record.future is not None and record.future() is future
        if same and record.has_lines and not record.several:
            return None
        if not same:
            record.steps += 1
            record.since_ns = now_ns
            try:
                record.future = ref(future)
            except TypeError:
                record.future = None  # never the same twice, so never part of a verdict
        links = chain(task.get_coro())
        waiting = self._classifier.classify(links, future)
        if internals.awaited_future(task) is not future:
            self._goes_on(record, "runnable")  # it ran on while it was being read: the wait it was in is over
            return None
        with_lines = lines_left and (same or waiting.operation.name.startswith(_OWN_RESOURCES))
        record.has_lines = with_lines
        record.several = waiting.operation.name in ("gather", "taskgroup", "wait")
        stack = asyncio_tasks.frames(links, with_lines)
        managers = list(entered(links))
        record.holds = self._take_in(links, managers, waiting, record.source, now_ns)
        deadline = _earlier(waiting.deadline, earliest(managers))
        deadline_ns = None if deadline is None else now_ns + int((deadline - loop.time()) * 1e9)
        wait = asyncio_tasks.wait_of(waiting, future, stack, record.since_ns, deadline_ns)
        before = record.node.wait
        if before is not None and same and before.deadline_ns is not None and wait.deadline_ns is not None:
            wait.deadline_ns = before.deadline_ns  # two clocks: the same timer must not seem to move
        node = asyncio_tasks.node_of(record, "waiting", wait, stack, self._parent(record))
        if node != record.node:
            record.node = node
        return _Seen(record, waiting)

    def _goes_on(self, record: TaskRecord, state: str) -> None:
        """The task waits for nothing and what it holds cannot be read."""
        record.future, record.edges, record.holds = None, (), []
        record.has_lines = record.several = False
        record.node = asyncio_tasks.node_of(record, state, None, (), self._parent(record))

    def _met(self, task: asyncio.Task[Any], now_ns: int) -> TaskRecord | None:
        """The record of a task, made at first sight; None for one that takes no weak reference."""
        known = self._tasks.get(task)
        if known is not None:
            return known
        loop = internals.loop_of(task)
        origin = asyncio_tasks.origin_of(task)
        created = now_ns if origin is None else origin.time_ns
        number = self._loops.get(loop)
        if number is None:
            number = len(self._loops) + 1
            self._loops.put(loop, number)
        record = asyncio_tasks.new_record(task, self._ids.new(NodeKind.TASK, created), created, number)
        if not self._tasks.put(task, record):
            return None
        if record.sequence:
            self._by_sequence[record.sequence] = record.id
        return record

    def _parent(self, record: TaskRecord) -> str | None:
        return self._by_sequence.get(record.parent) if record.parent else None

    def _id_of(self, task: asyncio.Task[Any]) -> str | None:
        record = self._tasks.get(task)
        return None if record is None else record.id

    # --- between tasks ------------------------------------------------------------------------------------------------

    def _take_in(
        self, links: list[Link], managers: list[Entered], waiting: Waiting, task_source: str, now_ns: int
    ) -> list[Holds]:
        """Makes the nodes of what a task waits for and of what its stack shows it to hold; returns the latter."""

        def guess() -> tuple[str, str]:
            name, source = asyncio_tasks.used_at(links, self._classifier.is_own)
            return name, source or task_source

        for target in waiting.targets:
            if not issubclass(type(target), asyncio.Task):
                self._resources.record(target, now_ns, guess)
        given_up = {id(lock) for lock in self._classifier.locks_given_up(links)}
        holds: list[Holds] = []
        for one in managers:
            lock = internals.held_by_manager(one.manager)
            if lock is None or id(lock) in given_up:
                continue
            name, source = asyncio_tasks.entered_at(one)
            record = self._resources.record(lock, now_ns, lambda name=name, source=source: (name, source))
            if record is not None:
                holds.append(Holds(ref(lock), source))
        return holds

    def _held(self) -> dict[int, list[Held]]:
        """Who holds what by an `async with` block, by `id(primitive)`."""
        held: dict[int, list[Held]] = {}
        for _, record in self._tasks.records():
            for one in record.holds:
                primitive = one.primitive()
                if primitive is not None:
                    wait = record.node.wait  # what is held now was held when the wait began
                    since_ns = self._last_look_ns if wait is None else wait.since_ns
                    holder = Held(record.id, since_ns, one.source, True, Confidence.EXACT)
                    held.setdefault(id(primitive), []).append(holder)
        return held

    def _connect(self, one: _Seen) -> None:
        """The `needs` edges of a task, now that every target has a node."""
        wait = one.record.node.wait
        if wait is None:
            return
        edges: list[Edge] = []
        for target in one.waiting.targets:
            target_id = self._target(target, one.waiting)
            if target_id is None:
                edges = []  # one of those it waits for is not known (yet): nothing may be concluded from the others
                break
            cancels = one.waiting.cancels
            edges.append(Edge(EdgeKind.NEEDS, one.record.id, target_id, wait.since_ns, wait.source, cancels=cancels))
        found = tuple(edges)
        if found != one.record.edges:
            one.record.edges = found

    def _target(self, target: Any, waiting: Waiting) -> str | None:
        if issubclass(type(target), asyncio.Task):
            return self._id_of(target)
        record = self._resources.known(target)
        kind = waiting.operation.kind
        return None if record is None or kind is None else record.ids.get(kind)

    def _touches(self, tasks: list[asyncio.Task[Any]], now_ns: int, pause: Yield) -> dict[str, tuple[Edge, ...]]:
        """Who has a queue in his hands that somebody has been waiting to put into: in a local, a closure, or an
        attribute of one of those. Read only when there is such a queue, for it looks at every task's locals."""
        full = self._resources.full_queues() if self._somebody_puts(now_ns) else {}
        touched: dict[str, tuple[Edge, ...]] = {}
        if not full:
            return touched
        for number, task in enumerate(tasks[:_TOUCHES_MOST]):
            if number % _YIELD_EVERY == 0:
                pause()
            task_id = self._id_of(task)
            if task_id is None:
                continue
            found = {full[address] for link in chain(task.get_coro()) for address in _in_hands(link) if address in full}
            touched[task_id] = tuple(
                Edge(EdgeKind.TOUCHES, task_id, tx, confidence=Confidence.INFERRED) for tx in sorted(found)
            )
        return touched

    def _somebody_puts(self, now_ns: int) -> bool:
        waits = (record.node.wait for _, record in self._tasks.records())
        return any(w is not None and w.operation == "queue.put" and now_ns - w.since_ns >= _LONG_NS for w in waits)

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
            undo, refused = asyncio_rewrites.install_in_front_of_foreign_loops()
            self._undo += undo
            self._coverage += refused


def _in_hands(link: Link) -> set[int]:
    """Addresses of what a suspended function can reach directly, or by one step through an object or a closure."""
    found: set[int] = set()
    for referent in gc.get_referents(link.suspended):
        found.add(id(referent))
        if type(referent) in _NOT_HANDS or not gc.is_tracked(referent):
            continue
        for inner in gc.get_referents(referent)[:_HANDS_MOST]:
            found.add(id(inner))
            if type(inner) is dict and not issubclass(type(referent), dict):
                found.update(id(value) for value in list(cast("dict[Any, Any]", inner).values())[:_HANDS_MOST])
    return found


def _earlier(one: float | None, other: float | None) -> float | None:
    return other if one is None else one if other is None else min(one, other)
