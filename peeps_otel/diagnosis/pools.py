# SPDX-License-Identifier: Apache-2.0
"""Pools in a graph: which there are, who waits for them, and what they lend, in words."""

from __future__ import annotations

from collections.abc import Iterator

from .. import semconv
from ..model import Node, NodeKind
from . import wording
from .rules.context import RuleContext
from .wait_index import WaitIndex

_LENDS = {"Limiter": "token", "Executor": "worker", "Queue": "item", "QueuePool": "connection", "gevent.Pool": "place"}

_CLOSE = "pool.close"
OF_A_CLOSE = (
    "Give every connection back, by a `with` block, and end the tasks that have one, before the pool is closed; or put "
    "a timeout on the close"
)


def exhausted(context: RuleContext) -> Iterator[tuple[Node, list[str]]]:
    """The pools that have nothing left, each with those who wait for it in a wait that has settled, the longest first.
    What a finding explains is left out."""
    graph = context.graph
    for kind in (NodeKind.SEMAPHORE, NodeKind.RX):
        for pool in context.of(kind):
            if semconv.POOL_IN_USE not in pool.attributes or pool.id in context.explained:
                continue
            if pool.attributes.get(semconv.SEMAPHORE_AVAILABLE):
                continue
            waiters = [w for w in graph.waiters.get(pool.id, ()) if w in graph.settled and w not in context.explained]
            if waiters:
                yield pool, sorted(waiters, key=lambda w: (graph.wait_of(w).since_ns, w))


def holders_of_all(context: RuleContext) -> set[str]:
    """Who has anything of any pool."""
    return {
        holder
        for kind in (NodeKind.SEMAPHORE, NodeKind.RX)
        for pool in context.of(kind)
        if semconv.POOL_IN_USE in pool.attributes
        for holder in context.graph.holders.get(pool.id, ())
        if holder in context.graph.nodes
    }


def is_closing(graph: WaitIndex, pool: str) -> bool:
    """Whether it is one connection, and who closes the pool waits until it is given back."""
    return any(graph.wait_of(one).operation == _CLOSE for one in graph.waiters.get(pool, ()) if graph.since_of(one))


def taken(graph: WaitIndex, pool: Node) -> str:
    """`4 of 4 connections of QueuePool db are held`."""
    if is_closing(graph, pool.id):
        return f"a pool cannot be closed before its {_lends(pool)} is given back"
    in_use, capacity = pool.attributes.get(semconv.POOL_IN_USE), pool.attributes.get(semconv.SEMAPHORE_PERMITS)
    thing = _lends(pool)
    how_many = f"{in_use} of {capacity} {thing}s" if type(capacity) is int else f"all {in_use} {thing}s"
    verb = "is" if capacity == 1 or (type(capacity) is not int and in_use == 1) else "are"
    return f"{how_many} of {wording.label(pool)} {verb} held"


def has_one(graph: WaitIndex, pool: str, holder: str) -> str:
    """`report has one, taken at app/x.py:12`."""
    held = graph.held_by(pool, holder)
    where = "" if held is None else wording.at("taken at", held.source or "")
    one = "it" if is_closing(graph, pool) else "one"
    return f"{wording.label(graph.nodes.get(holder))} has {one}" + (f",{where}" if where else "")


def _lends(pool: Node) -> str:
    kind = str(pool.attributes.get(semconv.RESOURCE_TYPE, ""))
    return next((thing for end, thing in _LENDS.items() if kind.endswith(end)), "connection")
