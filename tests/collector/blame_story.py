# SPDX-License-Identifier: Apache-2.0
"""A stored history in which `audit` slept for nine seconds with a lock in its hands that `move` wanted."""

from __future__ import annotations

import time

from peeps_otel.model import Edge, EdgeKind, Frame, Node, NodeKind, Snapshot, Wait
from tests.collector.collector_support import Program, Running, event, new_id
from tests.support.waiting import eventually

SECOND = 1_000_000_000


def tell(collector: Running) -> None:
    began = time.time_ns() - 20 * SECOND
    move, audit, db = new_id(NodeKind.TASK), new_id(NodeKind.TASK), new_id(NodeKind.LOCK)
    program = Program()

    def at(seconds: int, nodes: list[Node], edges: list[Edge], key_frame: bool = False) -> None:
        program.sequence += 1
        time_ns = began + seconds * SECOND
        snapshot = Snapshot(program.stream_id, program.sequence, time_ns, key_frame, nodes, edges)
        snapshot.interval_ns = program.interval_ns
        body = program.encoder.encode(snapshot)
        collector.send(program.request(event("peeps.snapshot", body=body)))

    def task(node_id: str, name: str, wait: Wait | None, *stack: Frame) -> Node:
        state = "running" if wait is None else "waiting"
        return Node(node_id, NodeKind.TASK, name, began, "app.py:80", state=state, wait=wait, stack=stack, steps=1)

    lock = Node(db, NodeKind.LOCK, "db", began, "app.py:9")
    sleeping = Wait("sleep", began, "app.py:40")
    wanting = Wait("lock.acquire", began + SECOND, "app.py:31")
    at(
        2,
        [
            task(move, "move", wanting, Frame("move", "app.py", 31)),
            task(audit, "audit", sleeping, Frame("audit", "app.py", 45), Frame("nap", "app.py", 40)),
            lock,
        ],
        [
            Edge(EdgeKind.NEEDS, move, db, wanting.since_ns, wanting.source),
            Edge(EdgeKind.HELD_BY, db, audit, began, "app.py:44"),
        ],
        key_frame=True,
    )
    at(10, [task(move, "move", None), task(audit, "audit", None), lock], [])
    eventually(lambda: collector.sql("SELECT count(*) FROM node_change")[0][0] >= 5)
