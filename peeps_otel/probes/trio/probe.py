# SPDX-License-Identifier: Apache-2.0
"""The Trio probe: every task of every run of the process, what it waits for, who has that.

Nothing of Trio is rewritten. A task that has made no step since it was read, and waits, is where it was: it is not read
again, but for its deadline, which others may move.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any
from weakref import ref

from ... import semconv
from ...model import AttributeValue, Confidence, Edge, EdgeKind, Wait
from ...model.coverage import blind
from ..asyncio import channel_users
from ..asyncio import tasks as chains
from ..asyncio.failures import Failures
from ..asyncio.line_budget import LineBudget
from ..asyncio.relations import Relations
from ..asyncio.waits import Classifier
from ..context import ProbeContext
from ..identity import Identities
from ..internals import trio as internals
from ..internals.await_chain import chain, entered
from ..internals.trio import Run, Suspension
from ..library import Waiting
from ..probe import Observation, Yield
from ..resource_types import Held
from ..unique_names import UniqueNames
from .tasks import TrioTask, first_seen

_READ_AT_ONCE = 20  # tasks between two chances for the other threads to run
_AS_BEFORE_COUNTS = 0.1  # of reading one
_LONG_NS = 1_000_000_000
_Reference = tuple[ref[Any], Run]


class TrioProbe:
    """A `Probe`. To be made after the asyncio probe: both tell whose a task is. `lines_most`: as of that one."""

    name = "trio"

    def __init__(self, context: ProbeContext, lines_most: int = 2000) -> None:
        self._context = context
        self._resources = context.resources
        self._classifier = Classifier(context.libraries)
        self._relations = Relations(context, self._classifier, self._id_of)
        self._tasks: Identities[TrioTask] = Identities()
        self._names = UniqueNames()
        self._lines = LineBudget(lines_most)
        self._looks = 0
        self._last_look_ns = 0
        self._of_asyncio, self._at_of_asyncio = self._resources.task_id, self._resources.task_at
        self._resources.task_id, self._resources.task_at = self._owner, self._at

    def install(self) -> None:
        """Nothing is changed for it."""

    def uninstall(self) -> None:
        """As `install`."""

    def observe(self, observation: Observation, now_ns: int, pause: Yield) -> None:
        """All tasks of all runs."""
        self._context.libraries.activate_imported()
        found = [(ref(task), run) for run in internals.runs() for task in internals.tasks_of(run)]
        if not found and not len(self._tasks):
            return
        self._classifier.refresh()
        self._looks += 1
        self._lines.begin(self._context.with_lines, self._context.hurries)
        failed = Failures()
        met = self._meet(found, observation, now_ns, failed)
        threads = internals.run_threads()
        more: dict[str, AttributeValue] = {}
        if len(threads) == 1 and len(internals.runs()) == 1:
            more[semconv.TASK_THREAD] = self._context.thread(threads[0], now_ns)
        since_ns = self._read_all(met, more, now_ns, pause, failed)
        touched = self._touched(met, since_ns, now_ns, pause)
        for reference, _ in met:
            record = self._tasks.get(reference())
            if record is not None:
                edges = record.edges + touched.get(record.id, ())
                if edges != record.shown:
                    record.shown = edges
                observation.nodes[record.id], observation.edges[record.id] = record.node, record.shown
        for gone in self._tasks.sweep(lambda record: record.last_look != self._looks, pause):
            self._lines.note(gone, False, False)
            self._names.give_back(gone.node.kind, gone.name, gone.number)
        observation.coverage += failed.told()
        self._last_look_ns = now_ns

    def _meet(
        self, found: list[_Reference], observation: Observation, now_ns: int, failed: Failures
    ) -> list[_Reference]:
        """Those that have a node. Those that no look has met get theirs, as many as the budget allows."""
        most = self._context.new_tasks_most
        met: list[_Reference] = []
        late = 0
        for reference, run in found:
            task = reference()
            if task is None:
                continue
            record = self._tasks.get(task)
            if record is None and most is not None and most <= 0:
                late += 1
                continue
            try:
                if record is None:
                    most = None if most is None else most - 1
                    record = first_seen(task, self._context, self._names, now_ns)
                    if not self._tasks.put(task, record):
                        continue
            except Exception as error:
                failed.add(error)
                continue
            record.last_look = self._looks
            met.append((reference, run))
        if late:
            observation.coverage.append(blind(f"{late:,} new tasks of Trio have not been looked at yet"))
        return met

    def _read_all(
        self, met: list[_Reference], more: dict[str, AttributeValue], now_ns: int, pause: Yield, failed: Failures
    ) -> int:
        """Brings the records up to date. Returns since when one waits to send into a channel."""
        work, began_ns, since_ns = 0.0, now_ns, now_ns
        task = None
        for reference, run in met:
            if work >= _READ_AT_ONCE:
                work = 0.0
                task = None  # nothing of the program is in our hands while we wait
                now_ns = began_ns + self._between(pause)
            task = reference()
            record = self._tasks.get(task)
            if task is None or record is None:
                continue
            try:
                work += 1.0 if self._read(task, run, record, more, now_ns) else _AS_BEFORE_COUNTS
            except Exception as error:
                failed.add(error)
                self._no_wait(record, "unknown", {})
            for one in record.holds:
                held_since = self._last_look_ns if record.node.wait is None else record.node.wait.since_ns
                confidence = Confidence.EXACT if one.by_block else Confidence.INFERRED
                held = Held(record.id, held_since or now_ns, one.source, one.by_block, confidence)
                self._resources.hold(one.primitive, held)
            if record.puts:
                since_ns = min(since_ns, record.since_ns)
        return since_ns

    def _between(self, pause: Yield) -> int:
        if self._context.paced is not None:
            return self._context.paced()
        pause()
        return 0

    # --- one task -----------------------------------------------------------------------------------------------------

    def _read(self, task: Any, run: Run, record: TrioTask, more: dict[str, AttributeValue], now_ns: int) -> bool:
        """False where it is as it was."""
        before = internals.suspension(task)
        same = before.steps == record.steps and record.node.wait is not None and before.waits
        if same and record.is_settled:
            deadline_ns = self._deadline_ns(task, run, record, now_ns)
            wait = record.node.wait
            if wait is not None and wait.deadline_ns == deadline_ns:
                return False
        record.steps = before.steps
        parent = internals.parent_of(task)
        parent_id = None if parent is None else self._id_of(parent)
        more = more if parent_id is None else more | {semconv.TASK_PARENT: parent_id}
        if not before.waits:
            self._no_wait(record, "running" if run.running is task else "runnable", more)
            return True
        if not same:
            record.since_ns, record.deadline = now_ns, None
        self._read_wait(task, run, record, before, same, more, now_ns)
        return True

    def _read_wait(
        self,
        task: Any,
        run: Run,
        record: TrioTask,
        before: Suspension,
        same: bool,
        more: dict[str, AttributeValue],
        now_ns: int,
    ) -> None:
        links = chain(task.coro)
        waiting = self._classifier.classify(links, before.abort)
        managers = entered(links)
        now = internals.suspension(task)
        if not now.waits or now.steps != before.steps:
            self._no_wait(record, "runnable", more)  # it went on while it was being read
            return
        record.holds = self._relations.register_wait_and_holds(links, managers, waiting, record.source, now_ns)
        matters = waiting.operation.lines_first or bool(record.holds)
        at_once = same or bool(record.holds) or waiting.operation.lines_at_once
        with_lines = (same and record.has_lines) or (at_once and self._lines.grants(matters, bool(record.holds)))
        self._lines.note(record, matters, with_lines)
        stack = chains.frames(links, with_lines)
        deadline_ns = self._deadline_ns(task, run, record, now_ns)
        wait = chains.wait_of(waiting, links, stack, record.source, record.since_ns, deadline_ns)
        record.puts = waiting.operation.puts
        known = self._connect(record, waiting, wait)
        record.is_settled = with_lines and known
        record.show("waiting", wait, stack, more)

    def _connect(self, record: TrioTask, waiting: Waiting, wait: Wait) -> bool:
        """The `needs` edges of a task; none where one of those it waits for is not known: nothing may be concluded from
        the others then. Returns whether all are."""
        edges: list[Edge] = []
        for target in waiting.targets:
            known = self._resources.known(target)
            target_id = self._id_of(target) if known is None else known.node_of(waiting.operation.kind)
            if target_id is None:
                record.edges = ()
                return False
            cancels = waiting.cancels
            edges.append(Edge(EdgeKind.NEEDS, record.id, target_id, wait.since_ns, wait.source, cancels=cancels))
        if tuple(edges) != record.edges:
            record.edges = tuple(edges)
        return True

    def _no_wait(self, record: TrioTask, state: str, more: dict[str, AttributeValue]) -> None:
        record.edges, record.holds, record.puts, record.is_settled, record.deadline = (), (), False, False, None
        self._lines.note(record, False, False)
        record.show(state, None, (), more)

    def _deadline_ns(self, task: Any, run: Run, record: TrioTask, now_ns: int) -> int | None:
        at, clock = internals.deadline(run, task)
        if at is None or clock is None:
            record.deadline = None
            return None
        wait = record.node.wait
        if at == record.deadline and wait is not None and wait.deadline_ns is not None:
            return wait.deadline_ns
        record.deadline = at
        return now_ns + int((at - clock) * 1e9)

    def _touched(self, met: list[_Reference], since_ns: int, now_ns: int, pause: Yield) -> dict[str, tuple[Edge, ...]]:
        """Who has a channel in his hands that somebody has been waiting to send into."""
        if now_ns - since_ns < _LONG_NS:
            return {}
        full = self._resources.full_channels()
        references = [reference for reference, _ in met]
        return channel_users.touches(full, references, self._id_of, pause, lambda task: task.coro) if full else {}

    # --- who is who ---------------------------------------------------------------------------------------------------

    def _id_of(self, task: Any) -> str | None:
        record = self._tasks.get(task)
        return None if record is None else record.id

    def _owner(self, task: Any) -> str | None:
        return self._id_of(task) or self._of_asyncio(task)

    def _at(self, address: int) -> str | None:
        return self.task_nodes({address}).get(address) or self._at_of_asyncio(address)

    def task_nodes(self, addresses: AbstractSet[int]) -> dict[int, str]:
        """The node of each task that was met at one of these addresses and still lives."""
        return {address: record.id for address in addresses if (record := self._tasks.at(address)) is not None}

    def references(self, node_ids: AbstractSet[str]) -> dict[str, ref[Any]]:
        """Weak references to the tasks of these nodes."""
        return {record.id: task for task, record in self._tasks.records() if record.id in node_ids}
