# SPDX-License-Identifier: Apache-2.0
"""Order risks from what looks show, by hand-made observations and by a real program."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

import pytest

from peeps_otel import semconv
from peeps_otel.diagnosis.wait_graph import WaitGraph
from peeps_otel.model import AttributeValue, Confidence, Edge, EdgeKind, Graph, Node, NodeKind, Wait
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.patches.recorder import Recorder
from peeps_otel.probes.probe import Observation
from peeps_otel.watcher.interfaces import Waiting
from peeps_otel.watcher.order_rule import OrderRule, read_suppressions


class Seen:
    """One look: who holds what and waits for what."""

    def __init__(self) -> None:
        self.observation = Observation()

    def node(self, node_id: str, wait: Wait | None = None, **attributes: AttributeValue) -> str:
        kind, _, name = node_id.partition(":")
        named = {key.replace("__", "."): value for key, value in attributes.items()}
        node = Node(node_id, NodeKind(kind), name, 1, f"/srv/made_{name.partition('#')[0]}.py:1", wait=wait)
        node.attributes.update(named)
        self.observation.nodes[node_id] = node
        return node_id

    def edge(self, kind: EdgeKind, src: str, dst: str, source: str = "") -> None:
        edges = self.observation.edges.get(src, ())
        self.observation.edges[src] = (*edges, Edge(kind, src, dst, 1, source or None))

    def waits(
        self, who: str, wanted: str, *held: str, deadline: int | None = None, **attributes: AttributeValue
    ) -> None:
        site = f"/srv/{who.partition(':')[2]}.py:2"
        self.node(who, Wait("lock.acquire", 1, site, deadline_ns=deadline), **attributes)
        for lock in (wanted, *held):
            if lock not in self.observation.nodes:
                self.node(lock)
        self.edge(EdgeKind.NEEDS, who, wanted, site)
        for lock in held:
            self.edge(EdgeKind.HELD_BY, lock, who, f"/srv/{who.partition(':')[2]}.py:1")


def whole(observation: Observation) -> Waiting:
    edges = [edge for edges in observation.edges.values() for edge in edges]
    return Waiting(WaitGraph(Graph(observation.nodes, edges), frozenset()), None)


def looked(rule: OrderRule, observation: Observation, now_ns: int) -> None:
    rule.look(observation, whole(observation), [], now_ns)


def titles(rule: OrderRule, *looks: Seen) -> list[str]:
    found: list[str] = []
    for number, look in enumerate(looks):
        found = [finding.title for finding in rule.look(look.observation, whole(look.observation), [], 1_000 + number)]
    return found


def test_two_waits_at_different_times() -> None:
    one, other = Seen(), Seen()
    one.waits("task:a", "lock:cache", "lock:db")
    other.waits("task:b", "lock:db", "lock:cache")
    (title,) = titles(OrderRule(), one, other)
    assert title == "order risk: Lock cache before Lock db at srv/b.py:2, but Lock db before Lock cache at srv/a.py:2"


def test_a_wait_with_a_deadline_makes_no_order() -> None:
    one, other = Seen(), Seen()
    one.waits("task:a", "lock:cache", "lock:db", deadline=5)
    other.waits("task:b", "lock:db", "lock:cache")
    assert titles(OrderRule(), one, other) == []


def test_locks_that_were_not_seen_being_made_are_no_class() -> None:
    one, other = Seen(), Seen()
    for look, who, wanted, held in ((one, "a", "cache#1", "db#1"), (other, "b", "db#2", "cache#2")):
        look.waits(f"task:{who}", f"lock:{wanted}", f"lock:{held}")
        for node in look.observation.nodes.values():
            node.confidence = Confidence.INFERRED
    assert titles(OrderRule(), one, other) == []
    for look in (one, other):
        for node in look.observation.nodes.values():
            node.confidence = Confidence.EXACT
    assert len(titles(OrderRule(), one, other)) == 1


def test_only_a_semaphore_of_one_is_a_lock() -> None:
    for permits, risks in ((1, 1), (5, 0)):
        one, other = Seen(), Seen()
        one.waits("task:a", "semaphore:pool", "lock:db")
        other.waits("task:b", "lock:db", "semaphore:pool")
        for look in (one, other):
            look.observation.nodes["semaphore:pool"].attributes[semconv.SEMAPHORE_PERMITS] = permits
        assert len(titles(OrderRule(), one, other)) == risks


def test_a_thread_lock_across_an_await_and_on_the_loop_thread() -> None:
    one, other = Seen(), Seen()
    one.node("thread:loop")
    one.node("lock:state", peeps__resource__type="threading.Lock")
    one.node("task:a", Wait("sleep", 1, "/srv/a.py:5"), peeps__task__thread="thread:loop")
    one.edge(EdgeKind.HELD_BY, "lock:state", "task:a", "/srv/a.py:4")
    rule = OrderRule()
    assert titles(rule, one) == []
    other.node("lock:state", peeps__resource__type="threading.Lock")
    other.node("thread:loop", Wait("lock.acquire", 1, "/srv/handler.py:8"))
    other.node("task:b", peeps__task__thread="thread:loop")
    other.edge(EdgeKind.NEEDS, "thread:loop", "lock:state", "/srv/handler.py:8")
    (finding,) = rule.look(other.observation, whole(other.observation), [], 2_000)
    assert "the event loop of thread loop" in finding.title
    assert "handler.py:8" in finding.title
    assert "a.py:5" in finding.title
    assert "Never block" in finding.advice


def test_a_thread_that_waits_for_a_coroutine_with_a_lock_the_loop_takes() -> None:
    one, other = Seen(), Seen()
    one.node("thread:loop")
    one.node("task:job", peeps__task__thread="thread:loop")
    one.waits("thread:worker", "future:job", "lock:state")
    one.edge(EdgeKind.HELD_BY, "future:job", "task:job")
    other.node("task:job", peeps__task__thread="thread:loop")
    other.node("lock:state")
    other.node("thread:loop", Wait("lock.acquire", 1, "/srv/handler.py:8"))
    other.edge(EdgeKind.NEEDS, "thread:loop", "lock:state", "/srv/handler.py:8")
    assert len(titles(OrderRule(), one, other)) == 1


def test_a_real_program_in_which_it_went_well() -> None:
    probe = AsyncioProbe(Recorder(1 << 62))
    probe.install()
    rule = OrderRule()
    try:

        async def main() -> None:
            db = asyncio.Lock()
            cache = asyncio.Lock()
            free = asyncio.Event()

            async def third(lock: asyncio.Lock) -> None:
                async with lock:
                    await free.wait()

            async def both(first: asyncio.Lock, second: asyncio.Lock) -> None:
                async with first, second:
                    pass

            def look(now_ns: int) -> None:
                looked(rule, probe.look(now_ns), now_ns)

            for first, second in ((db, cache), (cache, db)):
                free.clear()
                blocker = asyncio.create_task(third(second))
                await asyncio.sleep(0)
                waiter = asyncio.create_task(both(first, second))
                await asyncio.sleep(0.01)
                for _ in range(2):
                    now_ns = time.time_ns()
                    await asyncio.to_thread(look, now_ns)
                free.set()
                await asyncio.gather(blocker, waiter)

        asyncio.run(main())
    finally:
        probe.uninstall()
    (finding,) = rule.orders.findings
    assert "Lock cache before Lock db" in finding.title
    assert "Lock db before Lock cache" in finding.title
    assert all(__file__ in link.text for link in finding.evidence)  # both stacks


def test_suppressed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    one, other = Seen(), Seen()
    one.waits("task:a", "lock:cache", "lock:db")
    other.waits("task:b", "lock:db", "lock:cache")
    path = tmp_path / "risks.toml"
    entry = '[[suppress]]\nsites = ["a.py:2", "srv/b.py:2"]\nowner = "me"\nreason = "start-up only"\nexpires = {}\n'
    path.write_text(entry.format("9999-01-01"))
    assert titles(OrderRule(read_suppressions(str(path))), one, other) == []
    path.write_text(entry.format("1969-01-01"))
    rule = OrderRule(read_suppressions(str(path)))
    assert len(titles(rule, one, other)) == 1
    assert "ran out on 1969-01-01" in other.observation.coverage[-1]
    path.write_text(entry.format('"soon"'))
    with caplog.at_level(logging.WARNING, "peeps_otel"):
        assert read_suppressions(str(path)) == []
        assert read_suppressions(str(tmp_path / "missing.toml")) == []
        assert read_suppressions("") == []
    first, second = (record.getMessage() for record in caplog.records)
    assert "expires must be a date" in first
    assert "(line 5)" in first
    assert "missing.toml" in second
