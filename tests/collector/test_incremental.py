# SPDX-License-Identifier: Apache-2.0
"""The graph that keeps its indexes says what one says that is read anew at each look."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peeps_collector.diagnose import IncrementalDiagnoser
from peeps_collector.graph import reduction
from peeps_collector.graph.incremental import Delta, Entry, IncrementalGraph
from peeps_otel import semconv
from peeps_otel.diagnosis import Diagnoser
from peeps_otel.diagnosis.reduction import residue
from peeps_otel.diagnosis.wait_graph import WaitGraph
from peeps_otel.model import AttributeValue, Edge, EdgeKind, Level, Node, NodeKind, Providers, Wait
from tests.support.examples import examples
from tests.support.graph_story import SECOND, START, Story, brief

OLD_NS = 2 * SECOND


@settings(max_examples=examples(150), deadline=None)
@given(st.integers(0, 1 << 32))
def test_the_same_suspects_and_verdicts(seed: int) -> None:
    story, kept = Story(seed), IncrementalGraph()
    engine, plain = IncrementalDiagnoser(), Diagnoser()
    deltas = {process: Delta(True, dict(nodes)) for process, nodes in story.processes.items()}
    for _ in range(8):
        kept.apply(deltas)
        graph = story.graph()
        assert kept.nodes == graph.nodes
        assert sorted(map(repr, kept.edges)) == sorted(map(repr, graph.edges))
        found, expected = engine.look(kept, story.now_ns), plain.look(graph, story.now_ns)
        anew = WaitGraph(graph, set(kept.waits.settled))
        stuck = residue(anew.conditions(Level.SUSPECT, story.now_ns, OLD_NS))
        assert kept.waits.stuck() == stuck
        assert kept.waits.suspects((), story.now_ns, OLD_NS) <= stuck
        for name in ("waiters", "users", "targets", "holders", "answers", "enders", "reached"):
            ours, made = getattr(kept.waits, name), getattr(anew, name)
            assert {key: set(ours[key]) for key in ours} == {key: set(made[key]) for key in made}, name
        assert all(kept.waits.is_stuck_thread(t) == anew.is_stuck_thread(t) for t in ("thread:a", "thread:b"))
        assert brief(found) == brief(expected)
        deltas = story.move()


def test_the_stories_have_all_levels() -> None:
    """Else the test above would compare nothing."""
    levels: set[tuple[str, Level]] = set()
    for seed in range(120):
        story, kept, engine = Story(seed), IncrementalGraph(), IncrementalDiagnoser()
        deltas = {process: Delta(True, dict(nodes)) for process, nodes in story.processes.items()}
        for _ in range(8):
            kept.apply(deltas)
            levels |= {(f.kind.value, f.level) for f in engine.look(kept, story.now_ns)}
            deltas = story.move()
    assert {Level.PROVEN, Level.LIKELY} <= {level for kind, level in levels if kind == "deadlock"}
    assert {"lock_starved", "semaphore_starved", "never_ends", "channel_full"} <= {kind for kind, _ in levels}


def test_rows_are_used_again() -> None:
    """A process whose tasks come and go for ever keeps no more than it has at one time."""
    kept, engine = IncrementalGraph(), IncrementalDiagnoser()
    lock = Node("lock:l", NodeKind.LOCK, "l", START, "app.py:1", providers=Providers.CLOSED)
    for number in range(300):
        wait = Wait("lock.acquire", START, "app.py:2")
        attributes: dict[str, AttributeValue] = {semconv.TASK_THREAD: "thread:t"}
        task = Node(f"task:{number}", NodeKind.TASK, "t", START, "app.py:2", wait=wait, attributes=attributes)
        entries: dict[str, Entry | None] = {
            "lock:l": (lock, (Edge(EdgeKind.HELD_BY, "lock:l", f"task:{number + 1}", START),)),
            task.id: (task, (Edge(EdgeKind.NEEDS, task.id, "lock:l", START, cancels=True),)),
            f"task:{number - 1}": None,
        }
        kept.apply({"p": Delta(number == 0, entries)})
        engine.look(kept, START + number * SECOND)
    assert kept.waits.rows < 12
    kept.apply({})
    engine.look(kept, START + 999 * SECOND)
    assert (kept.waits.rows, kept.edges, dict(kept.nodes), kept.owner) == (1, [], {}, {})
    assert not any((kept.waits.targets, kept.waits.waiters, kept.waits.holders, kept.waits.users))


def test_nothing_new_is_not_reduced_again(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0
    whole = reduction.stuck_rows

    def counted(*columns: Any) -> reduction.Mask:
        nonlocal calls
        calls += 1
        return whole(*columns)

    monkeypatch.setattr("peeps_collector.graph.arrays.stuck_rows", counted)
    kept, engine = IncrementalGraph(), IncrementalDiagnoser()
    event = Node("event:e", NodeKind.EVENT, "e", START, "app.py:1", providers=Providers.OPEN)
    task = Node("task:t", NodeKind.TASK, "t", START, "app.py:2", wait=Wait("event.wait", START, "app.py:2"), steps=1)
    edges = (Edge(EdgeKind.NEEDS, "task:t", "event:e", START),)
    kept.apply({"p": Delta(True, {"event:e": (event, ()), "task:t": (task, edges)})})
    for tenth in range(1, 31):
        engine.look(kept, START + tenth * SECOND // 10)
        kept.apply({"p": Delta(False, {"task:t": (replace(task), edges)})})  # said again, but not changed
    # The first look, the second, in which the task has settled, and the one in which its wait is old; each reduces
    # once for SUSPECT and once for LIKELY.
    assert calls == 2 * 3
    assert kept.waits.stuck() == {"task:t", "event:e"}
    moved = replace(task, steps=2)
    kept.apply({"p": Delta(False, {"task:t": (moved, edges)})})
    engine.look(kept, START + 3 * SECOND)
    assert calls == 2 * 4
    assert kept.waits.stuck() == set()
