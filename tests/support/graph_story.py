# SPDX-License-Identifier: Apache-2.0
"""Small programs whose nodes change at random, for who keeps indexes from look to look."""

from __future__ import annotations

import random
from dataclasses import replace

from peeps_collector.graph.incremental import Delta, Entry
from peeps_otel import semconv
from peeps_otel.model import AttributeValue, Edge, EdgeKind, Finding, Graph, Level, Node, NodeKind, Providers, Wait

SECOND = 1_000_000_000
START = 1_000 * SECOND
OPERATIONS = ["lock.acquire", "gather", "queue.put", "queue.get", "queue.join", "sleep"]
RESOURCES = [
    NodeKind.LOCK, NodeKind.SEMAPHORE, NodeKind.EVENT, NodeKind.TX, NodeKind.RX, NodeKind.FUTURE, NodeKind.EXECUTOR,
    NodeKind.RESPONSE,
]  # fmt: skip


class Story:
    """A small program of two processes whose nodes change at random. The second may name a node of the first.

    No two things are made at one line: what is alike would be told once."""

    def __init__(self, seed: int, size: int = 12) -> None:
        self.chance = random.Random(seed)
        self.waiters = [f"task:{n}" for n in range(size)] + ["thread:a", "thread:b"]
        self.things = [f"{self.chance.choice(RESOURCES)}:{n}" for n in range(size)]
        self.processes: dict[str, dict[str, Entry]] = {"one": {}, "two": {}}
        self.now_ns = START
        for node_id in [*self.waiters, *self.things]:
            if self.chance.random() < 0.9:
                self.processes[self.chance.choice(["one", "two"])][node_id] = self.entry(node_id)

    def entry(self, node_id: str) -> Entry:
        chance, kind = self.chance, NodeKind(node_id.partition(":")[0])
        if kind in (NodeKind.TASK, NodeKind.THREAD):
            count = chance.choice([0, 1, 1, 1, 2, 3])
            targets = [chance.choice(self.things if chance.random() < 0.8 else self.waiters) for _ in range(count)]
            deadline = self.now_ns + SECOND if chance.random() < 0.1 else None
            since_ns = self.now_ns - chance.choice([0, 1, 3]) * SECOND
            wait = Wait(chance.choice(OPERATIONS), since_ns, "app.py:1", chance.randint(1, max(1, count)), deadline)
            attributes: dict[str, AttributeValue] = {}
            if kind is NodeKind.TASK and chance.random() < 0.4:
                attributes[semconv.TASK_THREAD] = chance.choice(["thread:a", "thread:b"])
            if chance.random() < 0.1:
                attributes[semconv.TASK_CANCEL_REQUESTS] = 1
            state = chance.choice(["waiting", "waiting", "waiting", "idle"]) if kind is NodeKind.THREAD else "waiting"
            node = Node(node_id, kind, node_id, START, f"{node_id}.py:9", state=state, steps=1, attributes=attributes)
            node.wait = wait if targets or chance.random() < 0.3 else None
            edges = [Edge(EdgeKind.NEEDS, node_id, t, since_ns, cancels=chance.random() < 0.2) for t in targets]
            if chance.random() < 0.3:
                edges.append(Edge(EdgeKind.TOUCHES, node_id, chance.choice(self.things)))
            return node, tuple(edges)
        attributes = {
            semconv.LOCK_LOCKED: chance.random() < 0.7,
            semconv.SEMAPHORE_AVAILABLE: chance.randint(0, 1),
            semconv.CHANNEL_CAPACITY: 1,
            semconv.CHANNEL_LENGTH: chance.randint(0, 1),
        }
        node = Node(node_id, kind, node_id, START, f"{node_id}.py:5", attributes=attributes)
        node.providers = chance.choice([Providers.CLOSED, Providers.CLOSED, Providers.ESTIMATED, Providers.OPEN])
        relation = EdgeKind.HANDLED_BY if kind is NodeKind.RESPONSE else EdgeKind.HELD_BY
        holders = chance.sample([*self.waiters, *self.things], chance.choice([0, 1, 1, 2]))
        edges = [Edge(relation, node_id, holder, START) for holder in holders]
        if node.providers is not Providers.CLOSED and chance.random() < 0.3:
            node.attributes[semconv.COULD_END_ASKED] = True
            for relation in (EdgeKind.COULD_END, EdgeKind.REACHED_BY):
                edges += [Edge(relation, node_id, one) for one in chance.sample(self.waiters, chance.choice([0, 1, 2]))]
        return node, tuple(edges)

    def move(self) -> dict[str, Delta]:
        """Some time passes and some nodes change; what changed."""
        chance = self.chance
        self.now_ns += chance.choice([0, SECOND // 10, SECOND, 3 * SECOND])
        deltas: dict[str, Delta] = {}
        for process, nodes in self.processes.items():
            changed: dict[str, Entry | None] = {}
            for _ in range(chance.choice([0, 1, 3])):
                node_id = chance.choice([*self.waiters, *self.things])
                roll = chance.random()
                if roll < 0.25:
                    nodes.pop(node_id, None)
                    changed[node_id] = None
                    continue
                if roll < 0.5 and node_id in nodes:
                    node, edges = nodes[node_id]
                    nodes[node_id] = replace(node, steps=(node.steps or 0) + 1), edges
                elif node_id in nodes or roll > 0.95:
                    nodes[node_id] = self.entry(node_id)
                if node_id in nodes:
                    changed[node_id] = nodes[node_id]
            roll = chance.random()
            if roll < 0.9:
                deltas[process] = Delta(False, changed)
            elif roll < 0.95:
                deltas[process] = Delta(True, dict(nodes))
            else:
                nodes.clear()  # no delta: it has left
        return deltas

    def graph(self) -> Graph:
        nodes: dict[str, Node] = {}
        edges: list[Edge] = []
        for entries in self.processes.values():
            nodes |= {node_id: node for node_id, (node, _) in entries.items()}
            edges += [edge for _, out in entries.values() for edge in out]
        return Graph(nodes, edges)


def brief(findings: list[Finding]) -> list[tuple[str, Level, int, list[str], list[str]]]:
    """Without what the order of reading decides, and who waits twice for the same thing counted once."""
    return sorted((f.id, f.level, f.since_ns, sorted({*f.core}), list(dict.fromkeys(f.blocked))) for f in findings)
