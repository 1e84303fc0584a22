# SPDX-License-Identifier: Apache-2.0
"""Executors: who runs which future, what is queued behind what, and what waits for a loop to come to it."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast
from weakref import ReferenceType, ref

from ... import semconv
from ...model import AttributeValue, Confidence, Edge, EdgeKind, Node, NodeKind, Providers, own_line
from ..futures import Worked
from ..identity import Identities, NodeIds
from ..internals import asyncio_core as asyncio_internals
from ..internals import pool as internals
from ..internals import sharing, unaccepted
from ..probe import Observation
from .call_stack import CallStack
from .waits import Classifier


class Work(NamedTuple):
    """What a thread of a pool, of a loop, or of a server has in hand. `listens_at`: the descriptor by which the server
    accepts that it runs. `results`: the address of the table of those to whom a pool of processes owes
    results, while its thread that hands these on is in a callback of one: as long as that lasts, they wait for it."""

    executor: ref[Any] | None = None
    future: ref[Any] | None = None
    function: str = ""
    loop: ref[Any] | None = None
    listens_at: int | None = None
    results: int | None = None


@dataclass(slots=True)
class _Executor:
    id: str
    created_ns: int
    node: Node | None = None
    edges: tuple[Edge, ...] = field(default=())


NO_WORK = Work()
_SERVES = "BaseServer.serve_forever"
_HANDS_ON = "Pool._handle_results"
"""The function of the thread by which the results of a `multiprocessing.Pool` come."""
_CALLS_BACK = frozenset({"ApplyResult._set", "MapResult._set", "Future._invoke_callbacks"})
"""And those by which it, and that of an executor of processes, calls back."""


def work_of(stack: CallStack, classifier: Classifier) -> Work:
    """Read off a thread's frames."""
    functions = classifier.functions
    executor = future = loop = listens_at = results = None
    function = ""
    for number in range(len(stack) - 1, -1, -1):
        code = id(stack.codes[number])
        if code == functions.worker and executor is None:
            executor = _living(stack.reader(number).local_named("executor_reference"))
        elif code == functions.manager and executor is None:
            executor = _living(internals.executor_reference(stack.reader(number).local_named("self")))
        elif code == functions.work_item and future is None:
            item = internals.work_item(stack.reader(number).local_named("self"))
            if item is not None:
                future, function = ref(item.future), item.function
        elif code == functions.run_once:
            found = stack.reader(number).local_named("self")
            loop = ref(found) if issubclass(type(found), asyncio.BaseEventLoop) else loop
        elif stack.codes[number].co_qualname == _SERVES:
            listens_at = unaccepted.listens_at(stack.reader(number).local_named("self"))
        elif stack.codes[number].co_qualname == _HANDS_ON:
            results = _owed(stack, number, "cache")
        if code == functions.manager and results is None:
            results = _owed(stack, number, "self")
    if executor is None and future is None and loop is None and listens_at is None and results is None:
        return NO_WORK
    return Work(executor, future, function, loop, listens_at, results)


def _owed(stack: CallStack, number: int, local: str) -> int | None:
    """The address of the table of a pool's results, where the thread that hands them on is in a callback of one.
    `local`: what leads to that table in its function."""
    if not any(code.co_qualname in _CALLS_BACK for code in stack.codes[:number]):
        return None
    table = sharing.results_table(stack.reader(number).local_named(local))
    return None if table is None else id(table)


def _living(reference: object) -> ref[Any] | None:
    """A weak reference of ours to what one of the program refers to."""
    if type(reference) is not ReferenceType:
        return None
    found = cast("ReferenceType[Any]", reference)()
    return None if found is None else ref(found)


class _AtWork(NamedTuple):
    """What the threads of one look have in hand, by identity; it lives as long as the look takes.

    `workers`: executors and their threads. `resolved`: who works on a future. `loops`: with the thread of each.
    `owed`: by the address of a table of results the thread that is in a callback of one.
    """

    workers: dict[int, tuple[Any, list[str]]]
    resolved: dict[int, Worked]
    loops: dict[int, tuple[Any, str]]
    owed: dict[int, str]

    @classmethod
    def of(cls, working: Iterable[tuple[str, Work]]) -> _AtWork:
        self = cls({}, {}, {}, {})
        for thread, work in working:
            executor = None if work.executor is None else work.executor()
            if executor is not None:
                self.workers.setdefault(id(executor), (executor, []))[1].append(thread)
            future = None if work.future is None else work.future()
            if future is not None:
                self.resolved[id(future)] = Worked((thread,), work.function)
            loop = None if work.loop is None else work.loop()
            if loop is not None:
                self.loops[id(loop)] = (loop, thread)
            if work.results is not None:
                self.owed[work.results] = thread
        return self

    def owes(self, target: Any) -> Worked | None:
        """Who is in a callback of another result, before which this one does not come."""
        table = sharing.results_table(target) if self.owed else None
        thread = None if table is None else self.owed.get(id(table))
        return None if thread is None else Worked((thread,), estimated=True)

    def promised(self, missing: Set[int]) -> Iterator[tuple[int, Worked]]:
        """Of the `missing` futures those that a loop resolves when it comes to a callback."""
        for loop, thread in self.loops.values():
            for future, function in internals.promised(loop):
                if id(future) in missing:
                    yield id(future), Worked((thread,), function)


def _owed_by(executor: Any, at_work: _AtWork, missing: Set[int]) -> Iterator[tuple[int, Worked]]:
    """Of the `missing` futures those that an executor of processes owes, where the thread that hands on its results is
    in a callback of one."""
    table = sharing.results_table(executor) if at_work.owed else None
    thread = None if table is None else at_work.owed.get(id(table))
    if table is not None and thread is not None:
        for one in list(table.values()):
            item = internals.work_item(one)
            if item is not None and id(item.future) in missing:
                yield id(item.future), Worked((thread,), item.function, estimated=True)


def _queued(executor: Any, executor_id: str, missing: Set[int]) -> Iterator[tuple[int, Worked]]:
    """Of the `missing` futures those that wait for a worker."""
    for position, item in enumerate(internals.queued(executor)):
        if id(item.future) in missing:
            yield id(item.future), Worked((executor_id,), item.function, position)


class Pools:
    """The executors of the process. For the watcher thread only."""

    def __init__(self, ids: NodeIds) -> None:
        self._ids = ids
        self._known: Identities[_Executor] = Identities()

    def look(
        self,
        working: Iterable[tuple[str, Work]],
        wanted: list[Any],
        task_id: Callable[[Any], str | None],
        observation: Observation,
        now_ns: int,
    ) -> Callable[[Any], Worked]:
        """Adds the executors that `working` threads (node id, work) belong to. Returns who will resolve a future, for
        those that are `wanted`."""
        self._known.forget_dead()
        at_work = _AtWork.of(working)
        resolved = at_work.resolved
        missing = {id(future) for target in wanted for future in _computed(target)} - resolved.keys()
        for executor, threads in at_work.workers.values():
            record = self._record(executor, now_ns)
            if record is None:
                continue
            if missing:
                resolved.update(_queued(executor, record.id, missing))
                resolved.update(_owed_by(executor, at_work, missing))
            self._describe(record, executor, threads)
            if record.node is not None:
                observation.nodes[record.id] = record.node
                observation.edges[record.id] = record.edges
        missing -= resolved.keys()
        if missing:
            resolved.update(at_work.promised(missing))

        def worked(target: Any) -> Worked:
            for future in _computed(target):
                found = resolved.get(id(future)) or at_work.owes(future) or _by_task(future, task_id)
                if found is not None:
                    return found
            return Worked()

        return worked

    def _record(self, executor: Any, now_ns: int) -> _Executor | None:
        record = self._known.get(executor)
        if record is None:
            record = _Executor(self._ids.new(NodeKind.EXECUTOR, now_ns), now_ns)
            if not self._known.put(executor, record):
                return None
        return record

    def _describe(self, record: _Executor, executor: Any, threads: list[str]) -> None:
        state = internals.state(executor)
        known: dict[str, AttributeValue | None] = {
            semconv.RESOURCE_TYPE: state.type_name,
            semconv.EXECUTOR_WORKER_COUNT: state.workers,
            semconv.EXECUTOR_WORKER_LIMIT: state.workers_most,
            semconv.EXECUTOR_QUEUED: state.queued,
        }
        if not state.by_threads:
            known[semconv.RESOURCE_SHARED_WITH] = ", ".join(map(str, sharing.pool_workers(executor))) or None
        attributes = {name: value for name, value in known.items() if value is not None}
        # All that there can be are there and seen: only one of them can take the next item.
        sure = state.by_threads and state.workers_most is not None and len(threads) >= state.workers_most
        node = Node(
            id=record.id,
            kind=NodeKind.EXECUTOR,
            name=state.name,
            created_at=record.created_ns,
            source=own_line.UNKNOWN,
            confidence=Confidence.INFERRED,
            providers=Providers.CLOSED if sure else Providers.OPEN,
            attributes=attributes,
        )
        if record.node != node:
            record.node = node
        holders = sorted(threads) if state.by_threads else []
        edges = tuple(Edge(EdgeKind.HELD_BY, record.id, thread) for thread in holders)
        if record.edges != edges:
            record.edges = edges


def _computed(target: Any) -> list[Any]:
    """The future that something computes: the one of an executor behind one of asyncio's, or itself."""
    if issubclass(type(target), concurrent.futures.Future):
        return [target]
    linked = asyncio_internals.linked_futures(target)
    return [one for one in linked if issubclass(type(one), concurrent.futures.Future)] or [target]


def _by_task(future: Any, task_id: Callable[[Any], str | None]) -> Worked | None:
    """The task that runs the coroutine of `run_coroutine_threadsafe`."""
    for task in internals.chained_tasks(future):
        found = task_id(task)
        if found is not None:
            return Worked((found,), internals.coroutine_name(cast("Any", asyncio.Task).get_coro(task)))
    return None
