# SPDX-License-Identifier: Apache-2.0
"""Which waits the heap is asked about, and when."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

import pytest

from peeps_otel import native
from peeps_otel.diagnosis.wait_graph import WaitGraph
from peeps_otel.model import NodeKind, Providers
from peeps_otel.probes.heap.answer import Answer, BlockedThread
from peeps_otel.probes.heap.copy_allowance import CopyAllowance
from peeps_otel.probes.heap.ender import Thing
from peeps_otel.probes.heap.leak_report import LeakReport
from peeps_otel.probes.probe import Observation
from peeps_otel.watcher.heap_question import HeapQuestion
from peeps_otel.watcher.purse import Purse
from peeps_otel.watcher.start_waits import StartWaits
from tests.diagnosis.world import SECOND, START, World


class _Objects:
    """Any object stands for any thing; `wanted` remembers what was asked for."""

    def __init__(self) -> None:
        self.wanted: list[str] = []

    def things(self, wanted: AbstractSet[str]) -> dict[str, Any]:
        self.wanted += sorted(wanted)
        return {}

    def task_nodes(self, addresses: AbstractSet[int]) -> dict[int, str]:
        return {}

    def thread_nodes(self) -> Mapping[int, str]:
        return {}

    def descriptors(self) -> dict[str, int]:
        return {}


def _asked(world: World, after_ns: int) -> list[str]:
    objects, graph = _Objects(), world.graph()
    observation = Observation(dict(graph.nodes), {}, [])
    HeapQuestion(objects).look(observation, WaitGraph(graph, frozenset()), START + after_ns)
    return objects.wanted


def _ring(kind: NodeKind, bare: bool) -> World:
    world = World()
    first = world.resource(kind, "first", "task:b", providers=Providers.ESTIMATED, bare=bare)
    second = world.resource(kind, "second", "task:a", providers=Providers.ESTIMATED, bare=bare)
    world.task("a", first)
    world.task("b", second)
    return world


@pytest.mark.parametrize(
    ("kind", "bare", "asked"),
    [
        (NodeKind.SEMAPHORE, True, ["semaphore:first", "semaphore:second"]),
        (NodeKind.SEMAPHORE, False, []),
        (NodeKind.LOCK, True, ["lock:first", "lock:second"]),
        (NodeKind.LOCK, False, []),
    ],
)
def test_a_ring_that_is_sure_only_by_the_answer_is_asked_about_sooner(
    kind: NodeKind, bare: bool, asked: list[str]
) -> None:
    assert _asked(_ring(kind, bare), 3 * SECOND // 2) == asked
    assert _asked(_ring(kind, bare), 4 * SECOND) == [f"{kind}:first", f"{kind}:second"]


def test_a_permit_whose_holder_goes_on_is_in_no_hurry() -> None:
    world = World()
    pool = world.resource(NodeKind.SEMAPHORE, "pool", "task:b", providers=Providers.ESTIMATED, bare=True)
    world.task("a", pool)
    world.task("b")
    assert _asked(world, 3 * SECOND // 2) == []


def _at_once(function: Callable[..., None], *arguments: Any) -> None:
    function(*arguments)


class _Clock:
    def __init__(self) -> None:
        self.now_ns = 0

    def monotonic_ns(self) -> int:
        return self.now_ns

    def time_ns(self) -> int:
        return self.now_ns

    def wait(self, event: native.Event, timeout_s: float) -> bool:
        raise AssertionError("nobody waits here")


class _Events(_Objects):
    def things(self, wanted: AbstractSet[str]) -> dict[str, Any]:
        self.events = {one: asyncio.Event() for one in wanted}
        return dict(self.events)


@pytest.mark.parametrize(("things_ns", "then"), [(SECOND, 600), (9 * SECOND, 500)])
def test_more_are_asked_about_at_a_time_where_they_cost_little_beside_the_picture(things_ns: int, then: int) -> None:
    world = World()
    for number in range(600):
        event = world.resource(NodeKind.EVENT, f"event-{number}", providers=Providers.OPEN)
        world.task(f"task-{number}", event)
    asked: list[int] = []

    def ask(things: list[Thing], _: list[BlockedThread], __: CopyAllowance) -> Answer:
        asked.append(len(things))
        return Answer([[] for _ in things], LeakReport([]), cpu_ns=10 * SECOND, things_ns=things_ns)

    clock, graph = _Clock(), world.graph()
    heap = HeapQuestion(_Events(), ask, clock=clock)
    heap.started = _at_once
    for look in range(2):
        clock.now_ns += 20 * SECOND
        # As other tasks than before: the answer of the first question does not hold for them.
        nodes = {one: replace(node, steps=look) for one, node in graph.nodes.items()}
        heap.lay(Observation(nodes, {}, []))
        heap.look(Observation(nodes, {}, []), WaitGraph(graph, frozenset()), START + 10 * SECOND)
    assert asked == [500, then]


class _Beside:
    """A program of one event that nobody sets, watched within one per cent, and a question about it that is under way
    beside the looks: `copy` is what it may use."""

    def __init__(self) -> None:
        world = World()
        world.task("task", world.resource(NodeKind.EVENT, "event", providers=Providers.OPEN))
        self.clock, self._graph = _Clock(), world.graph()
        self.copy_ns = self._looks = 0
        self.heap = HeapQuestion(_Events(), self._ask, clock=self.clock)
        self.heap.started = self._begin
        self.heap.purse = Purse(0.01, 0)
        self._run: list[Callable[[], None]] = []

    def _begin(self, function: Callable[..., None], *arguments: Any) -> None:
        *_, self.allowance = arguments
        self._run.append(lambda: function(*arguments))

    def _ask(self, things: list[Thing], _: list[BlockedThread], __: CopyAllowance) -> Answer:
        return Answer([[] for _ in things], LeakReport([]), cpu_ns=self.copy_ns)

    def look(self, after_ns: int) -> list[str]:
        """A look so much later, of other waits than before; what its coverage says."""
        self.clock.now_ns += after_ns
        self._looks += 1
        nodes = {one: replace(node, steps=self._looks) for one, node in self._graph.nodes.items()}
        observation = Observation(nodes, {}, [])
        self.heap.lay(observation)
        self.heap.look(observation, WaitGraph(self._graph, frozenset()), START + 10 * SECOND)
        return observation.coverage

    def runs(self, cost_ns: int, for_s: int) -> None:
        """The copy uses what it may, and needs so much more."""
        until_ns = self.clock.now_ns + for_s * SECOND
        while cost_ns > 0 and self.clock.now_ns < until_ns:
            used_ns = min(cost_ns, max(0, self.allowed_ns - self.copy_ns))
            cost_ns -= used_ns
            self.copy_ns += used_ns
            self.allowance._page[1:3] = memoryview(array("Q", (self.copy_ns, 1)))  # as the copy does
            self.clock.now_ns += SECOND
            self.heap.pace()

    @property
    def allowed_ns(self) -> int:
        return self.allowance._page[0]  # as the copy does

    def answer(self) -> None:
        self._run.pop()()


def test_a_question_uses_no_more_than_half_of_a_minute_whatever_it_costs() -> None:
    beside = _Beside()
    beside.look(20 * SECOND)
    beside.runs(2 * SECOND, for_s=59)
    assert beside.heap.is_busy
    assert 0.22 * SECOND < beside.copy_ns <= 0.24 * SECOND
    assert beside.heap.spent_ns == beside.copy_ns
    beside.runs(2 * SECOND, for_s=240)
    assert 4.9 * 0.22 * SECOND < beside.copy_ns <= 5.1 * 0.24 * SECOND
    assert "heap: who could end some waits is being asked, as slowly as the budget allows" in beside.look(SECOND)


def test_at_the_start_it_goes_on_and_from_the_tenth_second_on_it_is_slow() -> None:
    beside = _Beside()
    beside.look(6 * SECOND)
    beside.runs(60 * SECOND, for_s=3)
    at_start_ns = beside.copy_ns
    assert at_start_ns > SECOND
    beside.runs(60 * SECOND, for_s=60)
    assert beside.copy_ns - at_start_ns <= 2 * 0.24 * SECOND + SECOND  # the last second of the start


def test_who_is_looking_does_not_wait_for_the_budget() -> None:
    beside = _Beside()
    beside.look(20 * SECOND)
    beside.runs(2 * SECOND, for_s=30)
    beside.heap.request()
    beside.heap.pace()
    before_ns = beside.heap.spent_ns
    beside.runs(100 * SECOND, for_s=2)
    assert beside.heap.spent_ns == before_ns + 100 * SECOND
    beside.answer()
    beside.look(SECOND)
    assert beside.heap.purse.question_ns(beside.clock.now_ns) <= 0.24 * SECOND  # it has paid for what was before


def test_what_asking_itself_took_is_paid_too_and_the_next_one_waits_until_that_is_saved() -> None:
    beside = _Beside()
    beside.look(20 * SECOND)
    beside.copy_ns = 2 * SECOND
    beside.answer()
    assert "heap: not asked yet who could end some waits: a question takes 2.0 s of processor time" not in beside.look(
        SECOND
    )
    assert beside.heap.spent_ns >= 2 * SECOND
    said = beside.look(20 * SECOND) + beside.look(11 * SECOND)
    assert "heap: not asked yet who could end some waits: a question takes 2.0 s of processor time" in said


def test_one_that_would_take_more_than_ten_minutes_is_not_asked_and_that_is_said() -> None:
    beside = _Beside()
    beside.look(20 * SECOND)
    beside.copy_ns = 5 * SECOND
    beside.answer()
    said = beside.look(3000 * SECOND) + beside.look(11 * SECOND)
    assert "heap: not asked who could end some waits: a question takes 5.0 s of processor time" in said


def test_a_question_that_fails_is_paid_for_and_over() -> None:
    beside = _Beside()
    beside.look(20 * SECOND)
    beside.runs(SECOND, for_s=10)

    def fail(*_: object) -> Answer:
        raise RuntimeError("the copy died")

    beside.heap.ask = fail
    beside.answer()
    beside.heap.pace()
    assert not beside.heap.is_under_way
    assert beside.heap.spent_ns == beside.copy_ns


def _busy_from_its_start() -> StartWaits:
    start = StartWaits(START)
    start.look(1 * SECOND, spent_ns=0)
    start.look(2 * SECOND, spent_ns=SECOND)
    return start


def _server(*more: str) -> World:
    """A main task that waits for its end, and others that wait, too; `more`: of those, who waits for the main task."""
    world = World()
    world.task("main", world.resource(NodeKind.EVENT, "end", providers=Providers.OPEN))
    for name in more:
        world.task(name, "task:main")
    return world


@pytest.mark.parametrize(
    ("world", "after_ns", "asked"),
    [
        (_server(), 5 * SECOND, []),
        (_server(), 61 * SECOND, ["event:end"]),
        (_server("other"), 5 * SECOND, ["event:end"]),
    ],
)
def test_a_wait_that_began_with_a_busy_program_is_asked_about_a_minute_later(
    world: World, after_ns: int, asked: list[str]
) -> None:
    objects, graph = _Objects(), world.graph()
    question = HeapQuestion(objects)
    question.can_be_later = _busy_from_its_start().can_be_later
    question.look(Observation(dict(graph.nodes), {}, []), WaitGraph(graph, frozenset()), START + after_ns)
    told = Observation(dict(graph.nodes), {}, [])
    question.lay(told)
    later = ["heap: not asked yet who could end some waits that began with the program, which is busy"]
    assert (objects.wanted, told.coverage) == (asked, [] if asked else later)


def test_what_somebody_wants_to_know_is_asked_of_a_busy_program_too() -> None:
    objects, graph = _Objects(), _server().graph()
    question = HeapQuestion(objects)
    question.can_be_later = _busy_from_its_start().can_be_later
    question.request()
    question.look(Observation(dict(graph.nodes), {}, []), WaitGraph(graph, frozenset()), START + 5 * SECOND)
    assert objects.wanted == ["event:end"]


def test_an_idle_program_is_asked_at_once_and_a_later_wait_of_a_busy_one_too() -> None:
    start = _busy_from_its_start()
    assert [start.can_be_later(START + began * SECOND, START + 20 * SECOND) for began in (1, 11)] == [True, False]
    start.look(3 * SECOND, spent_ns=SECOND)
    assert not start.can_be_later(START + SECOND, START + 20 * SECOND)


def test_the_same_is_not_asked_again_before_its_answer_is_laid() -> None:
    world = World()
    world.task("main", world.resource(NodeKind.EVENT, "end", providers=Providers.OPEN))
    asked: list[int] = []

    def ask(things: list[Thing], _: list[BlockedThread], __: CopyAllowance) -> Answer:
        asked.append(len(things))
        return Answer([[] for _ in things], LeakReport([]))

    clock, graph = _Clock(), world.graph()
    heap = HeapQuestion(_Events(), ask, clock=clock)
    heap.started = _at_once
    for _ in range(2):
        clock.now_ns += 20 * SECOND
        heap.look(Observation(dict(graph.nodes), {}, []), WaitGraph(graph, frozenset()), START + 10 * SECOND)
    assert asked == [1]
