# SPDX-License-Identifier: Apache-2.0
"""What samples know of threads and tasks, written on their nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Set
from typing import Any, Protocol
from weakref import ref

from .. import semconv
from ..model import AttributeValue, Confidence, Frame, Node, NodeKind, own_line
from ..probes import runtime
from ..probes.asyncio import tasks as asyncio_tasks
from ..probes.context import ProbeContext
from ..probes.patches import step_timer as exact_steps
from ..probes.probe import Observation
from .overlay import Overlay
from .sampler import Sampler
from .stalls import LoopWatch

_TOLD_STEP_NS = 20_000_000  # shorter ones are noise at the usual rate
_SPINS_PERCENT = 90
_STABLE = (semconv.TASK_SELF_WAKES, semconv.TASK_STEP_EXACT)
_STACK_NS = 10_000_000
_READ_MOST = 20
_Facts = dict[str, AttributeValue]
_Known = dict[str, tuple[_Facts, tuple[Frame, ...], str | None]]


class TaskView(Protocol):
    """What the sampler must know of tasks: the asyncio probe tells it. On the watcher thread."""

    def loops(self) -> list[asyncio.AbstractEventLoop]:
        """The event loops that tasks were met on."""
        ...

    def is_alive(self, loop: asyncio.AbstractEventLoop) -> bool:
        """False for a loop that a forked child has from its parent and does not run."""
        ...

    def node_id(self, task: Any) -> str | None: ...

    def references(self, node_ids: Set[str]) -> dict[str, ref[asyncio.Task[Any]]]:
        """Weak references to tasks by their nodes."""
        ...

    def due(self) -> list[Any]:
        """Tasks that the last look found waiting for nothing; not all where there are many."""
        ...


class History:
    """For the watcher thread only."""

    def __init__(self, sampler: Sampler, tasks: TaskView, exact: bool = False) -> None:
        """`exact`: steps are timed (`StepTimer`), so samples need not be asked for their lengths."""
        self._sampler = sampler
        self._tasks = tasks
        self._exact = exact
        self._overlay = Overlay()
        self._threads: dict[str, Node] = {}

    def write(self, observation: Observation, context: ProbeContext, now_ns: int) -> None:
        """Lays what is known over the nodes of a look. `now_ns`: Unix time."""
        clock_ns = self._sampler.clock.monotonic_ns()
        tasks: _Known = {}
        self._sampler.meet_loops()
        self._sampler.steps.looked(self._tasks.due())
        for task, history in self._sampler.steps.all():
            facts: _Facts = {}
            if history.longest_ns >= _TOLD_STEP_NS and not self._exact:
                facts[semconv.TASK_STEP_LONGEST] = history.longest_ns
                facts[semconv.TASK_STEP_TOTAL] = history.total_ns
            spins = history.self_wakes_percent
            if spins is not None and spins >= _SPINS_PERCENT:
                facts[semconv.TASK_SELF_WAKES] = spins
            node_id = self._tasks.node_id(task) if facts else None
            if node_id is not None:
                tasks[node_id] = (facts, (), None)
        if self._exact:
            self._timed(tasks)
        for watch in self._sampler.watches.values():
            if watch.stalled_for(clock_ns) and watch.ident is not None:
                if not watch.lacks_processor():
                    self._stalled(watch, watch.ident, tasks, observation, context, now_ns)
            elif watch.asleep_since_ns and watch.ident is not None:
                self._asleep(watch, watch.ident, observation, context, now_ns)
        for node_id, (facts, stack, state) in tasks.items():
            self._overlay.lay(observation, node_id, facts, stack, state)
        self._overlay.done()

    def _timed(self, tasks: _Known) -> None:
        """What was timed of each task, beside what samples know of some."""
        for reference in runtime.task_references(self._tasks.loops()):
            task = reference()
            steps = None if task is None else exact_steps.steps_of(task)
            node_id = None if steps is None else self._tasks.node_id(task)
            if steps is None or node_id is None:
                continue
            facts = tasks.get(node_id, ({}, (), None))[0] | {
                semconv.TASK_STEP_EXACT: True,
                semconv.TASK_STEP_COUNT: steps.made,
                semconv.TASK_STEP_LONGEST: steps.longest_ns,
                semconv.TASK_STEP_TOTAL: steps.total_ns,
            }
            if steps.longest_ns >= _STACK_NS and steps.ended_in:
                facts[semconv.TASK_STEP_STACK] = "\n".join(
                    f'  File "{frame.file}", line {frame.line}, in {frame.function}' for frame in steps.stack()
                )
            tasks[node_id] = (facts, (), None)

    def _stalled(
        self,
        watch: LoopWatch,
        ident: int,
        tasks: _Known,
        observation: Observation,
        context: ProbeContext,
        now_ns: int,
    ) -> None:
        dominant = watch.dominant()
        if dominant is None:
            return
        task = None if watch.task is None else watch.task()
        node_id = None if task is None else self._tasks.node_id(task)
        if node_id is not None:
            # A step that lasts is one number that does not change: its longest is told when it is over.
            facts = {k: v for k, v in tasks.get(node_id, ({}, (), None))[0].items() if k in _STABLE}
            facts[semconv.TASK_STEP_SINCE] = watch.since_ns
            facts[semconv.TASK_THREAD] = context.thread(ident, now_ns)  # of uvloop, nobody else may know it
            tasks[node_id] = (facts, watch.own_stack(dominant), "running")
        thread_id = context.thread(ident, now_ns)
        if thread_id not in observation.nodes:
            observation.nodes[thread_id] = self._thread(thread_id, watch, dominant.frames(), now_ns)
        self._overlay.lay(observation, thread_id, {semconv.LOOP_STALLED_SINCE: watch.since_ns}, dominant.frames(), None)

    def _asleep(
        self, watch: LoopWatch, ident: int, observation: Observation, context: ProbeContext, now_ns: int
    ) -> None:
        loop = watch.loop()
        if loop is None:
            return
        others = (one for one in runtime.callbacks(loop) if one.kind in ("timer", "io") and not one.own_wakeup)
        facts: _Facts = {semconv.LOOP_ASLEEP_SINCE: watch.asleep_since_ns, semconv.LOOP_MAY_WAKE: any(others)}
        if runtime.is_told_to_stop(loop):
            facts[semconv.LOOP_TOLD_TO_STOP] = True
        self._overlay.lay(observation, context.thread(ident, now_ns), facts)
        for task in self._tasks.due()[:_READ_MOST]:  # where they stand tells what they were woken from
            node_id = self._tasks.node_id(task) if runtime.loop_of(task) is loop else None
            if node_id is not None:
                self._overlay.lay(observation, node_id, {}, asyncio_tasks.suspended_in(task))

    def _thread(self, thread_id: str, watch: LoopWatch, stack: tuple[Frame, ...], now_ns: int) -> Node:
        """A node for a thread that no probe shows."""
        state = "blocked" if watch.moves is False else "running"
        node = self._threads.get(thread_id)
        if node is None or node.state != state:
            source = own_line.source(own_line.innermost(stack) or (stack[-1] if stack else None)) or own_line.UNKNOWN
            name = watch.thread_name
            node = Node(thread_id, NodeKind.THREAD, name, now_ns, source, Confidence.INFERRED, state=state)
            self._threads[thread_id] = node
        return node


def lags(watches: Iterable[LoopWatch], now_ns: int) -> dict[str, int]:
    """The longest lag of each loop since the last call, by the name of its thread. `now_ns`: monotonic."""
    found: dict[str, int] = {}
    for watch in watches:
        if watch.thread_name:
            found[watch.thread_name] = max(found.get(watch.thread_name, 0), watch.take_lag(now_ns))
    return found
