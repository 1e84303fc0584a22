# SPDX-License-Identifier: Apache-2.0
"""Locks, semaphores, events, conditions and queues as nodes."""

from __future__ import annotations

import asyncio
from asyncio import locks, queues
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

from .. import semconv
from ..model import AttributeValue, Confidence, Edge, EdgeKind, Node, NodeKind, Providers
from . import asyncio_internals as internals
from . import source_text
from .identity import Identities, NodeIds
from .recorder import HOLDERS, ORIGIN, OWNER, Holding, Origin


class Held(NamedTuple):
    """A lock or permit in the hands of a task. `by_block`: inside `async with`, which will give it back."""

    task_id: str
    since_ns: int
    source: str
    by_block: bool
    confidence: Confidence


@dataclass(slots=True)
class ResourceRecord:
    """What is known of one primitive. A queue has two nodes, the others one."""

    ids: dict[NodeKind, str]
    name: str
    source: str
    created_ns: int
    confidence: Confidence
    initial: int | None
    type_name: str
    nodes: list[Node] = field(default_factory=list[Node])
    edges: dict[str, tuple[Edge, ...]] = field(default_factory=dict[str, tuple[Edge, ...]])
    seen_held: dict[str, int] = field(default_factory=dict[str, int])
    uses_read: int = 0


_USES_READ = 3
_KINDS: list[tuple[type[Any], tuple[NodeKind, ...]]] = [
    (locks.Condition, (NodeKind.CONDITION,)),
    (locks.Lock, (NodeKind.LOCK,)),
    (locks.Semaphore, (NodeKind.SEMAPHORE,)),
    (locks.Event, (NodeKind.EVENT,)),
    (locks.Barrier, (NodeKind.BARRIER,)),
    (queues.Queue, (NodeKind.TX, NodeKind.RX)),
]


class Resources:
    """The primitives that somebody waits for or holds, or did. For the watcher thread only."""

    def __init__(self, ids: NodeIds) -> None:
        self._ids = ids
        self._known: Identities[ResourceRecord] = Identities()

    def record(self, primitive: Any, now_ns: int, guess: Callable[[], tuple[str, str]]) -> ResourceRecord | None:
        """The record of a primitive, made at first sight; None for a type that is not a resource.

        `guess` gives name and `path:line` from the place of use, for one whose creation was not recorded.
        """
        known = self._known.get(primitive)
        if known is not None:
            if not known.name and known.uses_read < _USES_READ:  # another use may tell what it is called
                known.uses_read += 1
                known.name = guess()[0]
            return known
        kinds = next((kinds for cls, kinds in _KINDS if issubclass(type(primitive), cls)), None)
        if kinds is None:
            return None
        made = _origin(primitive)
        name, source = "", ""
        if made is not None:
            name, source = (
                source_text.assigned_name(made.code, made.lasti),
                source_text.source_of(made.code, made.lasti),
            )
        if not name or not source:
            guessed = guess()
            name, source = name or guessed[0], source or guessed[1]
        created = now_ns if made is None else made.time_ns
        record = ResourceRecord(
            ids={kind: self._ids.new(kind, created) for kind in kinds},
            name=name,
            source=source or "unknown:0",
            created_ns=created,
            confidence=Confidence.INFERRED if made is None else Confidence.EXACT,
            initial=None if made is None else internals.whole(made.initial),
            type_name=f"{type(primitive).__module__.partition('.')[0]}.{type(primitive).__name__}",
        )
        return record if self._known.put(primitive, record) else None

    def known(self, primitive: Any) -> ResourceRecord | None:
        return self._known.get(primitive)

    def full_queues(self) -> dict[int, str]:
        """The `tx` node of each queue that somebody waits to put into, by `id(queue)`."""
        return {
            id(queue): record.ids[NodeKind.TX]
            for reference, record in self._known.records()
            if NodeKind.TX in record.ids and (queue := reference()) is not None and internals.queue_state(queue)[2] > 0
        }

    def look(self, held: dict[int, list[Held]], tasks: Callable[[asyncio.Task[Any]], str | None], now_ns: int) -> None:
        """Brings the nodes and edges of every living resource up to date.

        `held`: what was read off the stacks, by `id(primitive)`; `tasks`: the node id of a task.
        """
        self._known.forget_dead()
        for reference, record in self._known.records():
            primitive = reference()
            if primitive is not None:
                _describe(primitive, record, held.get(id(primitive), []), tasks, now_ns)

    def records(self) -> list[ResourceRecord]:
        return [record for _, record in self._known.records()]


def _origin(primitive: Any) -> Origin | None:
    target = internals.condition_lock(primitive) if issubclass(type(primitive), locks.Condition) else primitive
    origin = _fact(target, ORIGIN)
    return Origin(*origin) if type(origin) is tuple else None


def _fact(primitive: Any, name: str) -> Any:
    """An attribute of ours. Past a subclass's `__getattr__`, and without making the object's `__dict__`."""
    try:
        return object.__getattribute__(primitive, name)
    except AttributeError:
        return None


def _describe(
    primitive: Any,
    record: ResourceRecord,
    on_stacks: list[Held],
    tasks: Callable[[asyncio.Task[Any]], str | None],
    now_ns: int,
) -> None:
    holders = _since_first_seen(record, _once(on_stacks, _recorded(primitive, tasks)), now_ns)
    if issubclass(type(primitive), queues.Queue):
        _describe_queue(cast("queues.Queue[Any]", primitive), record)
        return
    attributes: dict[str, AttributeValue] = {semconv.RESOURCE_TYPE: record.type_name}
    providers = Providers.OPEN
    if issubclass(type(primitive), locks.Lock):
        locked, waiting = internals.lock_state(primitive)
        attributes |= {semconv.LOCK_LOCKED: locked, semconv.RESOURCE_WAITERS: waiting}
        holders = holders if locked else []
        providers = _lock_providers(holders)
    elif issubclass(type(primitive), locks.Semaphore):
        available, waiting, bound = internals.semaphore_state(primitive)
        attributes[semconv.RESOURCE_WAITERS] = waiting
        if available is not None:
            attributes[semconv.SEMAPHORE_AVAILABLE] = available
        total = bound if bound is not None else record.initial
        if total is not None:
            attributes[semconv.SEMAPHORE_PERMITS] = total
        providers = _semaphore_providers(holders, available, total, bound is not None)
    elif issubclass(type(primitive), locks.Event):
        attributes |= {
            semconv.EVENT_IS_SET: internals.event_is_set(primitive),
            semconv.RESOURCE_WAITERS: internals.waiter_count(primitive),
        }
    elif issubclass(type(primitive), locks.Condition):
        attributes[semconv.RESOURCE_WAITERS] = internals.waiter_count(primitive)
        holders = []  # its lock is a node of its own
    kind, node_id = next(iter(record.ids.items()))
    _keep(record, 0, _node(record, kind, node_id, providers, attributes))
    edges = tuple(
        Edge(EdgeKind.HELD_BY, node_id, held.task_id, held.since_ns, held.source or None, held.confidence)
        for held in holders
    )
    if record.edges.get(node_id) != edges:
        record.edges[node_id] = edges


def _recorded(primitive: Any, tasks: Callable[[asyncio.Task[Any]], str | None]) -> list[Held]:
    """Holders by a bare `acquire()`."""
    owner = _fact(primitive, OWNER)
    found: list[Held] = []
    for fact in [owner] if owner is not None else _fact(primitive, HOLDERS) or ():
        holding = Holding(*fact)
        task = holding.task()
        task_id = None if task is None else tasks(task)
        if task_id is not None:
            source = source_text.source_of(holding.code, holding.lasti)
            found.append(Held(task_id, holding.time_ns, source, False, Confidence.EXACT))
    return found


def _once(on_stacks: list[Held], recorded: list[Held]) -> list[Held]:
    """`async with condition` takes its lock by a bare `acquire()`: the same hold is both on the stack and recorded."""
    by_block = {held.task_id for held in on_stacks}
    return on_stacks + [held for held in recorded if held.task_id not in by_block]


def _since_first_seen(record: ResourceRecord, holders: list[Held], now_ns: int) -> list[Held]:
    """A hold read off a stack: since the first look that saw it, or since its holder began to wait, whichever was
    earlier. It may have begun before that, not after."""
    seen: dict[str, int] = {}
    result: list[Held] = []
    for held in holders:
        if held.by_block:
            known = min(record.seen_held.get(held.task_id, now_ns), held.since_ns)
            seen[held.task_id] = known
            held = held._replace(since_ns=known)
        result.append(held)
    record.seen_held = seen
    return result


def _lock_providers(holders: list[Held]) -> Providers:
    """One task inside `async with` gives the lock back, and nobody else can without breaking that block."""
    if not holders:
        return Providers.OPEN
    return Providers.CLOSED if len(holders) == 1 and holders[0].by_block else Providers.ESTIMATED


def _semaphore_providers(holders: list[Held], available: int | None, total: int | None, bounded: bool) -> Providers:
    if not holders or available is None or (total is not None and len(holders) < total - available):
        return Providers.OPEN  # somebody has a permit who is not known
    # A release too many makes a BoundedSemaphore's own block fail; a plain one may be released by anyone.
    sure = bounded and total is not None and all(held.by_block for held in holders)
    return Providers.CLOSED if sure else Providers.ESTIMATED


def _describe_queue(queue: queues.Queue[Any], record: ResourceRecord) -> None:
    length, capacity, putters, getters, unfinished = internals.queue_state(queue)
    common: dict[str, AttributeValue] = {
        semconv.RESOURCE_TYPE: record.type_name,
        semconv.CHANNEL_TYPE: record.type_name,
    }
    if length is not None:
        common[semconv.CHANNEL_LENGTH] = length
    if capacity > 0:
        common[semconv.CHANNEL_CAPACITY] = capacity
    tx, rx = record.ids[NodeKind.TX], record.ids[NodeKind.RX]
    waiting = semconv.CHANNEL_WAITERS
    _keep(record, 0, _node(record, NodeKind.TX, tx, Providers.OPEN, common | {waiting: putters}))
    _keep(
        record,
        1,
        _node(
            record,
            NodeKind.RX,
            rx,
            Providers.OPEN,
            common | {waiting: getters, semconv.CHANNEL_UNFINISHED: unfinished},
        ),
    )
    if tx not in record.edges:
        record.edges[tx] = (Edge(EdgeKind.CHANNEL_LINK, tx, rx),)


def _node(
    record: ResourceRecord, kind: NodeKind, node_id: str, providers: Providers, attributes: dict[str, AttributeValue]
) -> Node:
    return Node(
        id=node_id,
        kind=kind,
        name=record.name,
        created_at=record.created_ns,
        source=record.source,
        confidence=record.confidence,
        providers=providers,
        attributes=attributes,
    )


def _keep(record: ResourceRecord, place: int, node: Node) -> None:
    """Keeps the object of an unchanged node: the snapshot tells changes by identity."""
    if place == len(record.nodes):
        record.nodes.append(node)
    elif record.nodes[place] != node:
        record.nodes[place] = node
