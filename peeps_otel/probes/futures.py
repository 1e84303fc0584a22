# SPDX-License-Identifier: Apache-2.0
"""Futures that somebody waits for, of asyncio and of `concurrent.futures` alike."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

from .. import semconv
from ..model import AttributeValue, Confidence, Edge, EdgeKind, Node, NodeKind, Providers, own_line
from .identity import Identities, NodeIds
from .internals import pool as internals
from .internals.asyncio_core import FUTURE_MODULES

_OF_WORKERS = frozenset({semconv.COULD_END_OUTSIDE, semconv.RESOURCE_SHARED_WITH})
"""What is said of a result whose pool's processes bring it."""


class Worked(NamedTuple):
    """Who will resolve a future: `holders`, a thread, an executor or a task; empty where nobody is known. `name`: of
    the function that computes it. `position`: how many are before it in the executor's queue. `estimated`: others may
    end the wait too, by an error."""

    holders: tuple[str, ...] = ()
    name: str = ""
    position: int | None = None
    estimated: bool = False


@dataclass(slots=True)
class FutureRecord:
    """`type_name` as a person would write it; `source`: where the first waiter was seen to wait for it; `worker`: the
    node of the thread that resolves it, where the waiter itself knows."""

    id: str
    type_name: str
    source: str
    created_ns: int
    worker: str = ""
    name: str = ""
    node: Node | None = None
    edges: tuple[Edge, ...] = field(default=())


class Futures:
    """The futures that are nodes because a task or thread waits for them. For the watcher thread only."""

    def __init__(self, ids: NodeIds) -> None:
        self._ids = ids
        self._known: Identities[FutureRecord] = Identities()
        self.kin: Callable[[type[object], int, object], dict[str, AttributeValue]] = lambda _kind, _since_ns, _one: {}
        """See `Kin.of`."""

    def wanted(self, future: Any, now_ns: int, source: str, worker: str = "") -> str | None:
        """The node id of a future somebody waits for; None for a type that takes no weak reference. `worker`: the node
        of the thread that resolves it, where the waiter knows."""
        record = self._known.get(future)
        if record is None:
            node_id = self._ids.new(NodeKind.FUTURE, now_ns)
            record = FutureRecord(node_id, _type_name(cast("type[object]", type(future))), source, now_ns, worker)
            if not self._known.put(future, record):
                return None
        return record.id

    def known(self, future: Any) -> str | None:
        """The node id of a future that somebody has waited for."""
        record = self._known.get(future)
        return None if record is None else record.id

    def pending(self) -> list[Any]:
        """The futures somebody has waited for and that are not done."""
        self._known.forget_dead()
        living = [reference() for reference, _ in self._known.records()]
        return [future for future in living if future is not None and not is_done(future)]

    def things(self, wanted: AbstractSet[str]) -> dict[str, Any]:
        """The futures with these node ids that live."""
        return {record.id: future for future, record in self._known.alive() if record.id in wanted}

    def nodes(self, futures: list[Any], worked: Callable[[Any], Worked]) -> Iterator[tuple[Node, tuple[Edge, ...]]]:
        """Their nodes, each with who is to resolve it. `worked`: who that is."""
        for future in futures:
            record = self._known.get(future)
            if record is not None:
                shared = self.kin(cast("type[object]", type(future)), record.created_ns, future)
                node = _describe(record, worked(future), shared)
                yield node, record.edges


def is_done(future: object) -> bool:
    """Whether a future has its result. Asks no type of the program's own."""
    kind = type(future)
    if issubclass(kind, concurrent.futures.Future):
        return internals.is_done(future)
    return issubclass(kind, asyncio.Future) and cast("Any", asyncio.Future).done(future)


def count_waiting(futures: object) -> int | None:
    """How many of those who queue for something still wait, by the futures they were given; None for what is no queue
    of a library."""
    kind = type(futures)
    if kind is not deque and kind is not OrderedDict:
        return None
    return sum(not is_done(one) for one in list(cast("Iterable[object]", futures)))


def _describe(record: FutureRecord, worked: Worked, shared: dict[str, AttributeValue]) -> Node:
    """Keeps the objects of what is unchanged: the snapshot tells changes by identity."""
    if record.worker and not worked.holders:
        worked = worked._replace(holders=(record.worker,))
    if worked.estimated:
        shared = {name: value for name, value in shared.items() if name not in _OF_WORKERS}
    providers = Providers.ESTIMATED if worked.estimated else Providers.CLOSED
    record.name = worked.name or record.name or record.type_name
    attributes: dict[str, AttributeValue] = {semconv.RESOURCE_TYPE: record.type_name} | shared
    if worked.position is not None:
        attributes[semconv.EXECUTOR_POSITION] = worked.position
    node = Node(
        id=record.id,
        kind=NodeKind.FUTURE,
        name=record.name,
        created_at=record.created_ns,
        source=record.source or own_line.UNKNOWN,
        confidence=Confidence.INFERRED,
        providers=providers if worked.holders else Providers.OPEN,
        attributes=attributes,
    )
    if record.node is None or record.node != node:
        record.node = node
    edges = tuple(Edge(EdgeKind.HELD_BY, record.id, holder) for holder in worked.holders)
    if record.edges != edges:
        record.edges = edges
    return record.node


def _type_name(kind: type[object]) -> str:
    """`concurrent.futures.Future`, `asyncio.Future`: without the modules that only implement them."""
    if kind is concurrent.futures.Future:
        return "concurrent.futures.Future"
    module = str(type.__dict__["__module__"].__get__(kind))
    return f"{'asyncio' if module in FUTURE_MODULES else module}.{kind.__name__}"
