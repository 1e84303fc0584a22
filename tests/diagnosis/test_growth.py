# SPDX-License-Identifier: Apache-2.0
"""The worst case of each rule, grown: a look costs what there is, and not its square.

Counted are the lines that a look executes, so that a busy machine makes no difference.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import FindingKind, NodeKind, Providers
from tests.diagnosis.world import SECOND, START, World

pytestmark = pytest.mark.slow
SMALL, LARGE, LINEAR = 1_000, 6_000, 1.04
"""What is counted is the same each time, so that a little more than linear is enough to be sure."""
SMALL_OF_DEAR, LARGE_OF_DEAR = 300, 2_000
LATE = START + 100 * SECOND


def rings(world: World, size: int) -> None:
    for n in range(size // 2):
        world.lock(f"a{n}", f"task:one{n}")
        world.lock(f"b{n}", f"task:two{n}")
        world.task(f"one{n}", f"lock:b{n}")
        world.task(f"two{n}", f"lock:a{n}")


def one_ring(world: World, size: int) -> None:
    for n in range(size):
        world.lock(f"l{n}", f"task:t{n}")
        world.task(f"t{n}", f"lock:l{(n + 1) % size}")


def behind_one_ring(world: World, size: int) -> None:
    rings(world, 2)
    for n in range(size):
        world.task(f"tail{n}", "lock:a0" if n == 0 else f"task:tail{n - 1}", operation="task.wait")


def nobody_left(world: World, size: int) -> None:
    for n in range(size):
        world.resource(NodeKind.FUTURE, f"f{n}")
        world.task(f"t{n}", f"future:f{n}", operation="future")


def starved(kind: NodeKind) -> Callable[[World, int], None]:
    """A chain of things, each held by who waits for the next, whose last holder waits for what does not come."""

    def chain(world: World, size: int) -> None:
        world.resource(NodeKind.EVENT, "never", providers=Providers.OPEN)
        for n in range(size):
            world.resource(kind, f"x{n}", f"task:t{n}", providers=Providers.ESTIMATED)
            onward = f"{kind}:x{n + 1}" if n + 1 < size else "event:never"
            world.task(f"t{n}", onward)

    return chain


def starved_apart(kind: NodeKind) -> Callable[[World, int], None]:
    """Each with a waiter of its own, all of whose holders wait for one chain of tasks."""

    def apart(world: World, size: int) -> None:
        world.resource(NodeKind.EVENT, "never", providers=Providers.OPEN)
        for n in range(size // 2):
            world.task(f"chain{n}", "event:never" if n == 0 else f"task:chain{n - 1}", operation="task.wait")
        for n in range(size // 2):
            world.resource(kind, f"x{n}", f"task:h{n}", providers=Providers.ESTIMATED)
            world.task(f"h{n}", f"task:chain{size // 2 - 1}", operation="task.wait")
            world.task(f"w{n}", f"{kind}:x{n}")

    return apart


def full_queues(world: World, size: int) -> None:
    for n in range(size):
        world.queue(f"q{n}", 1, 1)
        world.task(f"t{n}", f"tx:q{n}", operation="queue.put")


def one_full_queue(world: World, size: int) -> None:
    world.queue("q", 1, 1)
    for n in range(size):
        world.task(f"t{n}", "tx:q", operation="queue.put")
        world.touches(f"task:t{n}", "tx:q")


def young_event(world: World, size: int) -> None:
    world.resource(NodeKind.EVENT, "go", providers=Providers.OPEN)
    for n in range(size):
        world.task(f"t{n}", "event:go", operation="event.wait", since=LATE - SECOND)


def blocked_loop(world: World, size: int) -> None:
    world.thread("main", peeps__loop__stalled_since=START)
    for n in range(size):
        world.task(f"t{n}", thread="main")


def marked(**attributes: Any) -> Callable[[World, int], None]:
    def tasks(world: World, size: int) -> None:
        world.resource(NodeKind.EVENT, "drained", providers=Providers.OPEN)
        for n in range(size):
            world.task(f"t{n}", "event:drained", operation="event.wait", **attributes)

    return tasks


def lost_wakeups(world: World, size: int) -> None:
    for n in range(size):
        world.resource(NodeKind.LOCK, f"l{n}", peeps__lock__locked=False)
        world.task(f"t{n}", f"lock:l{n}")


def not_drained(world: World, size: int) -> None:
    for n in range(size // 2):
        world.resource(
            NodeKind.RX, f"q{n}", providers=Providers.OPEN, peeps__channel__unfinished=1, peeps__channel__length=0
        )
        world.task(f"t{n}", f"rx:q{n}", operation="queue.join")
        world.task(f"c{n}", f"rx:q{n}", operation="queue.get")


def held_across_waits(world: World, size: int) -> None:
    for n in range(size // 2):
        world.lock(f"l{n}", f"task:h{n}")
        world.task(f"h{n}", operation="sleep", deadline=LATE + 999 * SECOND)
        world.task(f"w{n}", f"lock:l{n}")


def held_by_many(world: World, size: int) -> None:
    world.resource(NodeKind.SEMAPHORE, "s", *(f"task:h{n}" for n in range(size)))
    for n in range(size):
        world.task(f"h{n}", operation="sleep", deadline=LATE + 999 * SECOND)
    world.task("w", "semaphore:s")


def saturated(world: World, size: int) -> None:
    for n in range(size // 2):
        world.resource(NodeKind.EXECUTOR, f"p{n}", f"thread:w{n}", providers=Providers.OPEN)
        world.thread(f"w{n}", state="running")
        world.resource(NodeKind.FUTURE, f"f{n}", f"executor:p{n}", providers=Providers.OPEN)
        world.task(f"t{n}", f"future:f{n}", operation="future")


def complaints(problem: str) -> Callable[[World, int], None]:
    def nodes(world: World, size: int) -> None:
        for n in range(size):
            world.resource(NodeKind.CUSTOM, f"c{n}", peeps__problem__kind=problem)

    return nodes


def give_up_at_locks(world: World, size: int) -> None:
    """Each waits with a deadline for a lock of one who waits for a lock, too, that a ring has that will break."""
    for n in range(size // 2):
        world.lock(f"l{n}", f"task:h{n}")
        onward = f"lock:l{n + 1}" if n + 1 < size // 2 else "lock:l0"
        world.task(f"h{n}", onward, deadline=LATE + 999 * SECOND)
        world.task(f"w{n}", f"lock:l{n}", deadline=LATE + 999 * SECOND)


def rings_that_give_up(world: World, size: int) -> None:
    for n in range(size // 2):
        world.lock(f"a{n}", f"task:one{n}")
        world.lock(f"b{n}", f"task:two{n}")
        world.task(f"one{n}", f"lock:b{n}", deadline=LATE + 999 * SECOND)
        world.task(f"two{n}", f"lock:a{n}")


def slow_events(world: World, size: int) -> None:
    """At each of two lines one has waited long; each is waited for by all who are in one chain."""
    for n in range(size // 2):
        world.resource(NodeKind.EVENT, f"e{n}", providers=Providers.OPEN)
        world.task(f"t{n}", f"event:e{n}", operation="event.wait")
        world.task(f"b{n}", f"task:t{n}", f"task:b{n - 1}" if n else f"task:t{n}", operation="gather")


def pools(world: World, size: int, lends_to: Callable[[int], str]) -> None:
    for n in range(size // 2):
        world.resource(
            NodeKind.SEMAPHORE,
            f"p{n}",
            lends_to(n),
            providers=Providers.ESTIMATED,
            peeps__pool__in_use=1,
            peeps__semaphore__permits=1,
            peeps__semaphore__available=0,
        )


def pools_behind_one_chain(world: World, size: int) -> None:
    """The holders of all pools wait for one chain of tasks."""
    world.resource(NodeKind.EVENT, "never", providers=Providers.OPEN)
    pools(world, size, lambda n: f"task:h{n}")
    for n in range(size // 4):
        world.task(f"chain{n}", "event:never" if n == 0 else f"task:chain{n - 1}", operation="task.wait")
    for n in range(size // 2):
        world.task(f"h{n}", f"task:chain{size // 4 - 1}", operation="task.wait")
        world.task(f"w{n}", f"semaphore:p{n}", operation="pool.get")


def pools_that_wait_for_themselves(world: World, size: int) -> None:
    pools(world, size, lambda n: f"task:h{n}")
    for n in range(size // 2):
        world.task(f"h{n}", f"semaphore:p{n}", operation="pool.get")


def one_pool_that_waits_for_itself(world: World, size: int) -> None:
    world.resource(
        NodeKind.SEMAPHORE,
        "p",
        *(f"task:h{n}" for n in range(size)),
        providers=Providers.ESTIMATED,
        peeps__pool__in_use=size,
        peeps__semaphore__permits=size,
        peeps__semaphore__available=0,
    )
    for n in range(size):
        world.task(f"h{n}", "semaphore:p", operation="pool.get")


def behind_all(world: World, things: list[str]) -> None:
    """Each of these is waited for by a task of its own, and all of those by one chain of tasks."""
    for n, thing in enumerate(things):
        world.task(f"w{n}", thing, operation="wait")
    world.task("all", *(f"task:w{n}" for n in range(len(things))), operation="gather")
    for n in range(len(things)):
        world.task(f"chain{n}", f"task:chain{n - 1}" if n else "task:all", operation="task.wait")


def unanswered(world: World, size: int) -> None:
    things: list[str] = []
    for n in range(size // 4):
        things.append(
            world.resource(
                NodeKind.REQUEST,
                f"r{n}",
                providers=Providers.ESTIMATED,
                peeps__method="GET /stock",
                peeps__rpc__join="not_received",
                peeps__rpc__connection=f"c{n}",
            )
        )
        world.resource(NodeKind.TX, f"c{n}", providers=Providers.OPEN)
    behind_all(world, things)


def lost_with_a_process(world: World, size: int) -> None:
    behind_all(
        world,
        [
            world.resource(NodeKind.LOCK, f"l{n}", providers=Providers.OPEN, peeps__resource__lost_with="pid 7")
            for n in range(size // 4)
        ],
    )


def held_at_fork(world: World, size: int) -> None:
    behind_all(
        world,
        [
            world.resource(NodeKind.LOCK, f"l{n}", peeps__lock__fork_holder="a thread of pid 7")
            for n in range(size // 4)
        ],
    )


def unread_at_the_other_end(world: World, size: int) -> None:
    behind_all(
        world,
        [
            world.resource(NodeKind.IO, f"s{n}", providers=Providers.OPEN, peeps__io__unmoved_since=START)
            for n in range(size // 4)
        ],
    )


def children_await_input(world: World, size: int) -> None:
    behind_all(
        world,
        [
            world.resource(
                NodeKind.COMMAND,
                f"s{n}",
                providers=Providers.OPEN,
                peeps__io__unmoved_since=START,
                peeps__command__awaits_input="stdin",
            )
            for n in range(size // 4)
        ],
    )


def loops_asleep(world: World, size: int) -> None:
    """Of each a task is ready that all of one chain wait for."""
    for n in range(size // 4):
        world.thread(f"l{n}", peeps__loop__asleep_since=START, peeps__loop__may_wake=False)
        world.task(f"w{n}", thread=f"l{n}")
        ready = world.nodes[f"task:w{n}"]
        ready.state = "runnable"
    world.task("all", *(f"task:w{n}" for n in range(size // 4)), operation="gather")
    for n in range(size // 4):
        world.task(f"chain{n}", f"task:chain{n - 1}" if n else "task:all", operation="task.wait")


KIND = FindingKind
CASES: list[tuple[str, Callable[[World, int], None], set[FindingKind]]] = [
    ("deadlock", rings, {KIND.DEADLOCK}),
    ("deadlock, one ring", one_ring, {KIND.DEADLOCK}),
    ("deadlock, a chain behind it", behind_one_ring, {KIND.DEADLOCK}),
    ("never_ends", nobody_left, {KIND.NEVER_ENDS}),
    ("lock_starved, a chain", starved(NodeKind.LOCK), {KIND.LOCK_STARVED}),
    ("lock_starved, one chain below all", starved_apart(NodeKind.LOCK), {KIND.LOCK_STARVED}),
    ("semaphore_starved", starved_apart(NodeKind.SEMAPHORE), {KIND.SEMAPHORE_STARVED}),
    ("channel_full", full_queues, {KIND.CHANNEL_FULL}),
    ("channel_full, one", one_full_queue, {KIND.CHANNEL_FULL}),
    ("a young event", young_event, set()),
    ("loop_blocked", blocked_loop, {KIND.LOOP_BLOCKED}),
    ("never_yields", marked(peeps__task__step_since=START), {KIND.NEVER_YIELDS}),
    ("self_waking", marked(peeps__task__self_wakes=90), {KIND.SELF_WAKING}),
    ("cancel_ignored", marked(peeps__task__cancel_requests=1), {KIND.CANCEL_IGNORED}),
    ("lost_wakeup", lost_wakeups, {KIND.LOST_WAKEUP}),
    ("channel_not_drained", not_drained, {KIND.CHANNEL_NOT_DRAINED}),
    ("held_across_wait", held_across_waits, {KIND.HELD_ACROSS_WAIT}),
    ("held_across_wait, many holders", held_by_many, {KIND.HELD_ACROSS_WAIT}),
    ("executor_saturated", saturated, {KIND.EXECUTOR_SATURATED}),
    ("task_destroyed", complaints("destroyed_pending"), {KIND.TASK_DESTROYED}),
    ("exception_never_retrieved", complaints("exception_never_retrieved"), {KIND.EXCEPTION_NEVER_RETRIEVED}),
]

DEAR: list[tuple[str, Callable[[World, int], None], set[FindingKind]]] = [
    ("times_out, at locks", give_up_at_locks, {KIND.TIMES_OUT}),
    ("times_out, rings", rings_that_give_up, {KIND.TIMES_OUT}),
    ("unusually_long", slow_events, set()),
    ("pool_exhausted, one chain below all", pools_behind_one_chain, {KIND.POOL_EXHAUSTED}),
    ("pool_waits_for_itself", pools_that_wait_for_themselves, {KIND.POOL_EXHAUSTED}),
    ("pool_waits_for_itself, one", one_pool_that_waits_for_itself, {KIND.POOL_EXHAUSTED}),
    ("call_unanswered", unanswered, {KIND.CALL_UNANSWERED}),
    ("lost_with_process", lost_with_a_process, {KIND.NEVER_ENDS}),
    ("held_at_fork", held_at_fork, {KIND.HELD_AT_FORK}),
    ("peer_not_reading", unread_at_the_other_end, {KIND.PEER_NOT_READING}),
    ("child_awaits_input", children_await_input, {KIND.DEADLOCK}),
    ("loop_asleep", loops_asleep, {KIND.LOST_WAKEUP}),
]
"""A look at these executes many lines, so that fewer of them must do."""


def lines_of(what: Callable[[], object]) -> int:
    """How many lines of Python it executes."""
    count = 0

    def traced(_frame: FrameType, _event: str, _argument: Any) -> Any:
        nonlocal count
        count += 1
        return traced

    before = sys.gettrace()
    sys.settrace(traced)
    try:
        what()
    finally:
        sys.settrace(before)
    return count


def cost(build: Callable[[World, int], None], size: int, expected: set[FindingKind]) -> float:
    """Lines per thing of a look with everything settled and old: the first at which what is expected is said."""
    world = World()
    build(world, size)
    graph, diagnoser = world.graph(), Diagnoser()
    diagnoser.look(graph, LATE)
    said: set[FindingKind] = set()
    for second in (80, 120):  # what a rule must have seen for long is said at the third
        found: list[Any] = []
        lines = lines_of(lambda found=found, second=second: found.extend(diagnoser.look(graph, LATE + second * SECOND)))
        said = {finding.kind for finding in found}
        if expected <= said:
            return lines / size
    raise AssertionError(f"not said: {expected - said}")


@pytest.mark.parametrize(("build", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_look_is_linear(build: Callable[[World, int], None], expected: set[FindingKind]) -> None:
    assert cost(build, LARGE, expected) <= LINEAR * cost(build, SMALL, expected)


@pytest.mark.parametrize(("build", "expected"), [case[1:] for case in DEAR], ids=[case[0] for case in DEAR])
def test_so_is_a_dear_one(build: Callable[[World, int], None], expected: set[FindingKind]) -> None:
    assert cost(build, LARGE_OF_DEAR, expected) <= LINEAR * cost(build, SMALL_OF_DEAR, expected)
