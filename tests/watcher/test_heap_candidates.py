# SPDX-License-Identifier: Apache-2.0
"""For which things somebody waits whom nothing known will wake: the same from what has changed as from everything."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from peeps_otel import semconv
from peeps_otel.diagnosis.incremental_index import IncrementalIndex
from peeps_otel.model import AttributeValue, Edge, EdgeKind, Node, NodeKind, Providers, Wait
from peeps_otel.watcher.heap_candidates import HeapCandidates

SECOND = 1_000_000_000
_KINDS = (NodeKind.EVENT, NodeKind.RX, NodeKind.LOCK, NodeKind.SEMAPHORE, NodeKind.IO)


class _Program:
    """Things, and tasks that wait for them, go on to others, and end."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.index = IncrementalIndex()
        self.things = [f"{_KINDS[number % len(_KINDS)]}:{number}" for number in range(20)]

    def put_thing(self, thing: str) -> None:
        if self.chance.random() < 0.2:
            self.index.put(thing, None, ())
            return
        kind = NodeKind(thing.partition(":")[0])
        attributes: dict[str, AttributeValue] = {semconv.POOL_IN_USE: 1} if self.chance.random() < 0.2 else {}
        providers = self.chance.choice([Providers.OPEN, Providers.CLOSED, Providers.ESTIMATED])
        self.index.put(thing, Node(thing, kind, thing, 1, "a.py:1", providers=providers, attributes=attributes), ())

    def put_task(self, number: int) -> None:
        task = f"task:{number}"
        what = self.chance.random()
        if what < 0.1:
            self.index.put(task, None, ())
            return
        node = Node(task, NodeKind.TASK, task, 1, "a.py:2", steps=self.chance.randrange(9))
        if what < 0.3:
            self.index.put(task, node, ())
            return
        deadline_ns = 99 * SECOND if self.chance.random() < 0.2 else None
        wait = Wait("event.wait", self.chance.randrange(9) * SECOND, "a.py:3", deadline_ns=deadline_ns)
        targets = self.chance.sample(self.things, self.chance.choice([1, 1, 1, 2]))
        edges = tuple(Edge(EdgeKind.NEEDS, task, target) for target in targets)
        state = self.chance.choice(["waiting", "waiting", "idle"])
        self.index.put(task, replace(node, wait=wait, state=state), edges)


@pytest.mark.parametrize("seed", range(8))
def test_from_what_has_changed_it_is_what_it_is_from_everything(seed: int) -> None:
    program, kept = _Program(seed), HeapCandidates()
    for _ in range(150):
        for _ in range(program.chance.randrange(1, 6)):
            if program.chance.random() < 0.3:
                program.put_thing(program.chance.choice(program.things))
            else:
                program.put_task(program.chance.randrange(40))
        kept.note(program.index.take_changed())
        if program.chance.random() < 0.3:
            continue  # a look that does not ask
        assert kept.of(program.index) == HeapCandidates().of(program.index)


def test_what_has_not_changed_is_not_read_again_and_is_the_same_object() -> None:
    program, kept = _Program(0), HeapCandidates()
    index = program.index
    for number in range(500):
        event = f"event:{number}"
        index.put(event, Node(event, NodeKind.EVENT, event, 1, "a.py:1", providers=Providers.OPEN), ())
        for waiter in (f"task:{number}a", f"task:{number}b"):
            node = Node(waiter, NodeKind.TASK, waiter, 1, "a.py:2", wait=Wait("event.wait", SECOND, "a.py:3"))
            index.put(waiter, node, (Edge(EdgeKind.NEEDS, waiter, event),))
    index.take_changed()
    before = dict(kept.of(index))
    assert (kept.read, len(before)) == (500, 500)
    node = index.nodes["task:7a"]
    assert node.wait is not None
    index.put("task:7a", replace(node, steps=4), index.out["task:7a"])
    kept.note(index.take_changed())
    after = kept.of(index)
    assert kept.read == 501
    assert all(after[one].waiters is before[one].waiters for one in before)
