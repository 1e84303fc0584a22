# SPDX-License-Identifier: Apache-2.0
"""The reduction that is kept from look to look says what one says that is made anew, and does only what has changed."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from peeps_otel import semconv
from peeps_otel.diagnosis import Diagnoser, kept_reduction, leaf
from peeps_otel.diagnosis.kept_reduction import KeptReduction, kept_suspects
from peeps_otel.diagnosis.reduction import residue
from peeps_otel.diagnosis.rules.registry import MARKS
from peeps_otel.diagnosis.wait_graph import WaitGraph
from peeps_otel.diagnosis.wait_index import WaitIndex
from peeps_otel.model import (
    AttributeValue,
    Confidence,
    Edge,
    EdgeKind,
    Finding,
    Graph,
    Level,
    Node,
    NodeKind,
    Providers,
    Wait,
)
from tests.support.examples import examples
from tests.support.graph_story import SECOND, START, Story, brief

OLD_NS = 2 * SECOND


def put_all(kept: KeptReduction, graph: Graph) -> None:
    """Brings the indexes up to date with a graph, by what differs."""
    out: dict[str, list[Edge]] = {}
    for edge in graph.edges:
        out.setdefault(edge.src, []).append(edge)
    for node_id in [*(one for one in list(kept.nodes) if one not in graph.nodes), *graph.nodes]:
        kept.put(node_id, graph.nodes.get(node_id), tuple(out.get(node_id, ())))


@settings(max_examples=examples(150), deadline=None)
@given(st.integers(0, 1 << 32))
@example(259726298)  # two things are free, and the first that is told explains the other
def test_the_same_suspects_verdicts_and_hurry(seed: int) -> None:
    story, kept = Story(seed), KeptReduction(MARKS)
    engine, plain = Diagnoser(suspects=kept_suspects), Diagnoser()
    for _ in range(8):
        graph = story.graph()
        put_all(kept, graph)
        found = engine.look_at(kept, kept.take_changed(), story.now_ns)
        assert brief(found) == brief(plain.look(graph, story.now_ns))
        assert engine.unconfirmed == plain.unconfirmed
        anew = WaitGraph(graph, set(kept.settled))
        stuck = residue(anew.conditions(Level.SUSPECT, story.now_ns, OLD_NS))
        assert set(anew.waiting(kept.stuck())) == set(anew.waiting(stuck))
        assert stuck <= kept.stuck()  # beside things that nobody waits for at this time
        assert kept.bounded == anew.bounded
        if seed % 2 or story.now_ns > START + 5 * SECOND:  # from the first look on, or late
            assert loops(kept) == loops(anew)
        story.move()


def loops(waits: WaitIndex) -> tuple[dict[str, set[str]], set[str]]:
    """The tasks of each thread that runs any, and all tasks."""
    threads = [one for one, node in waits.nodes.items() if node.kind is NodeKind.THREAD and waits.has_tasks(one)]
    tasks = waits.sort(waits.pause).tasks
    assert len(tasks) == len(list(tasks))
    return {thread: set(waits.tasks_of(thread)) for thread in threads}, {task.id for task in tasks}


@settings(max_examples=examples(100), deadline=None)
@given(st.integers(0, 1 << 32))
def test_the_same_where_everything_is_awaited_by_many(seed: int) -> None:
    """What is asked of things that thousands wait for is asked of each."""
    many, kept_reduction._MANY = kept_reduction._MANY, 1  # pyright: ignore[reportPrivateUsage]  # worlds of thousands take long
    try:
        test_the_same_suspects_verdicts_and_hurry.hypothesis.inner_test(seed)  # pyright: ignore[reportFunctionMemberAccess]  # the test itself, not its examples
    finally:
        kept_reduction._MANY = many  # pyright: ignore[reportPrivateUsage]  # as above


def test_one_more_who_waits_for_what_thousands_wait_for_costs_one_more() -> None:
    kept, engine = KeptReduction(MARKS), Diagnoser(suspects=kept_suspects)
    asked: dict[str, AttributeValue] = {semconv.COULD_END_ASKED: START}
    for name, attributes in (("plain", {}), ("asked", asked)):
        event = Node(f"event:{name}", NodeKind.EVENT, name, START, "app.py:1", attributes=attributes)
        kept.put(event.id, event, ())
        for number in range(2000):
            put_waiter(kept, f"task:{name}{number}", event.id, START)
    reduced: list[int] = []
    for look in range(1, 20):
        now_ns = START + look * SECOND
        put_waiter(kept, f"task:one{look}", "event:plain", now_ns)
        put_waiter(kept, f"task:other{look}", "event:asked", now_ns)
        if look > 3:
            kept.put(f"task:one{look - 3}", None, ())
        engine.look_at(kept, kept.take_changed(), now_ns)
        reduced.append(kept.reduced)
    assert reduced[0] == 0  # nobody is in the wait that he was in before
    assert reduced[1] > 4000
    assert max(reduced[12:]) < 20


def test_a_look_costs_what_has_changed() -> None:
    """Four thousand wait for one event, and one other task goes from lock to lock."""
    kept, engine = KeptReduction(MARKS), Diagnoser(suspects=kept_suspects)
    event = Node("event:e", NodeKind.EVENT, "e", START, "app.py:1", providers=Providers.OPEN)
    kept.put(event.id, event, ())
    for number in range(4000):
        task = Node(f"task:{number}", NodeKind.TASK, "t", START, "app.py:2", wait=Wait("event.wait", START, "app.py:2"))
        kept.put(task.id, task, (Edge(EdgeKind.NEEDS, task.id, event.id, START),))
    reduced: list[int] = []
    for look in range(1, 8):
        now_ns = START + look * SECOND
        lock = Node(f"lock:{look}", NodeKind.LOCK, "l", START, "app.py:3", providers=Providers.CLOSED)
        kept.put(lock.id, lock, (Edge(EdgeKind.HELD_BY, lock.id, "task:0", START),))
        one = Node("task:one", NodeKind.TASK, "o", START, "app.py:4", wait=Wait("lock.acquire", now_ns, "app.py:4"))
        kept.put(one.id, one, (Edge(EdgeKind.NEEDS, one.id, lock.id, now_ns),))
        engine.look_at(kept, kept.take_changed(), now_ns)
        reduced.append(kept.reduced)
    assert (reduced[0], reduced[1] > 4000) == (0, True)  # new, then settled, and old at the same time
    assert max(reduced[2:]) < 20


def test_locks_that_are_held_as_before_are_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand of two lines are held across sleeps, and at each look one more waits for one of them."""
    kept, engine = KeptReduction(MARKS), Diagnoser(suspects=kept_suspects)
    asked: list[str] = []
    leaf_of = leaf.leaf_of

    def counted(graph: WaitIndex, start: str, read: set[str] | None = None) -> leaf.Leaf | None:
        asked.append(start)
        return leaf_of(graph, start, read)

    monkeypatch.setattr(leaf, "leaf_of", counted)
    for number in range(1000):
        holder, lock = f"task:h{number}", f"lock:{number}"
        sleep = Wait("sleep", START, f"app.py:{number % 2}", 1, START + 3600 * SECOND)
        kept.put(holder, Node(holder, NodeKind.TASK, "h", START, "app.py:9", wait=sleep), ())
        held = Edge(EdgeKind.HELD_BY, lock, holder, START)
        kept.put(lock, Node(lock, NodeKind.LOCK, "l", START, "app.py:8", providers=Providers.CLOSED), (held,))
        put_waiter(kept, f"task:w{number}", lock, START)
    counts: list[int] = []
    for look in range(1, 10):
        now_ns = START + look * SECOND
        put_waiter(kept, f"task:more{look}", f"lock:{look}", now_ns)
        del asked[:]
        found = engine.look_at(kept, kept.take_changed(), now_ns)
        counts.append(len(asked))
        assert [(one.kind.value, one.count) for one in found] == (2 * [("held_across_wait", 500)] if look >= 2 else [])
    assert (counts[1] >= 1000, max(counts[2:]) <= 8) == (True, True)  # some more where words are made of it


def test_the_rules_are_asked_again_only_about_the_part_in_which_something_has_changed() -> None:
    """Of three hundred queues the heap has said that nobody puts into them; at each look one more waits at one."""
    kept, engine = KeptReduction(MARKS), Diagnoser(suspects=kept_suspects)
    asked: dict[str, AttributeValue] = {semconv.COULD_END_ASKED: START}
    for number in range(300):
        queue = Node(f"rx:{number}", NodeKind.RX, "q", START, f"app.py:{number}", Confidence.EXACT, attributes=asked)
        kept.put(queue.id, queue, ())
        for waiter in ("a", "b"):
            put_waiter(kept, f"task:{waiter}{number}", queue.id, START)
    counts: list[int] = []
    found: list[Finding] = []
    for look in range(1, 14):
        now_ns = START + look * SECOND
        put_waiter(kept, f"task:more{look}", f"rx:{look}", now_ns)
        found = engine.look_at(kept, kept.take_changed(), now_ns)
        counts.append(engine.asked_about)
    assert [(one.kind.value, one.level) for one in found[:1]] == [("never_ends", Level.LIKELY)]
    assert engine.untold + len(found) == 300
    assert (max(counts) >= 900, max(counts[8:]) <= 12) == (True, True)  # all of them when they settle, and become old


def put_waiter(kept: KeptReduction, task: str, lock: str, since_ns: int) -> None:
    node = Node(task, NodeKind.TASK, "w", START, "app.py:7", wait=Wait("lock.acquire", since_ns, "app.py:5"))
    kept.put(task, node, (Edge(EdgeKind.NEEDS, task, lock, since_ns),))


def test_others_get_the_interpreter_in_the_middle_of_a_look() -> None:
    """Counted are the lines between two pauses, of looks at three thousand who wait, half of them for held locks."""
    kept, engine = KeptReduction(MARKS), Diagnoser(suspects=kept_suspects)
    lines: list[int] = [0]

    def trace(_frame: FrameType, event: str, _argument: Any) -> Any:
        lines[-1] += event == "line"
        return trace

    kept.pause = lambda: lines.append(0)
    event = Node("event:e", NodeKind.EVENT, "e", START, "app.py:1", providers=Providers.OPEN)
    kept.put(event.id, event, ())
    for number in range(1500):
        put_waiter(kept, f"task:e{number}", event.id, START)
        holder, lock = f"task:h{number}", f"lock:{number}"
        kept.put(holder, Node(holder, NodeKind.TASK, "h", START, "app.py:9", wait=Wait("sleep", START, "app.py:3")), ())
        held = Edge(EdgeKind.HELD_BY, lock, holder, START)
        kept.put(lock, Node(lock, NodeKind.LOCK, "l", START, "app.py:8", providers=Providers.CLOSED), (held,))
        put_waiter(kept, f"task:w{number}", lock, START)
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for look in range(1, 5):
            engine.look_at(kept, kept.take_changed(), START + look * SECOND, kept.pause)
    finally:
        sys.settrace(before)
    assert (sum(lines) > 100_000, max(lines) < 15_000) == (True, True)
