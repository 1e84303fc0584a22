# SPDX-License-Identifier: Apache-2.0
"""The locks, semaphores, events, conditions, barriers, queues and processes that threads wait for or have, as nodes."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, cast

from ... import semconv
from ...model import AttributeValue, Confidence, Edge, EdgeKind, Node, NodeKind, Providers
from ..identity import Identities, NodeIds
from ..inherited import Inherited
from ..internals import stdlib as internals
from ..internals.stdlib import LOCK, RLOCK, SIMPLE_QUEUE
from ..probe import Observation
from ..resource_states import Held, State, of_lock, of_permits

_CHANNEL = (NodeKind.TX, NodeKind.RX)
_KINDS: tuple[tuple[type[Any], tuple[NodeKind, ...]], ...] = (
    (LOCK, (NodeKind.LOCK,)),
    (RLOCK, (NodeKind.LOCK,)),
    (threading.Condition, (NodeKind.CONDITION,)),
    (threading.Semaphore, (NodeKind.SEMAPHORE,)),
    (threading.Event, (NodeKind.EVENT,)),
    (threading.Barrier, (NodeKind.BARRIER,)),
    (queue.Queue, _CHANNEL),
    (SIMPLE_QUEUE, _CHANNEL),
)
_LATER: tuple[tuple[str, str, tuple[NodeKind, ...]], ...] = (
    ("multiprocessing.synchronize", "Lock", (NodeKind.LOCK,)),
    ("multiprocessing.synchronize", "RLock", (NodeKind.LOCK,)),
    ("multiprocessing.synchronize", "Semaphore", (NodeKind.SEMAPHORE,)),
    ("multiprocessing.synchronize", "Condition", (NodeKind.CONDITION,)),
    ("multiprocessing.synchronize", "Event", (NodeKind.EVENT,)),
    ("multiprocessing.queues", "Queue", _CHANNEL),
    ("multiprocessing.queues", "SimpleQueue", _CHANNEL),
    ("multiprocessing.process", "BaseProcess", (NodeKind.COMMAND,)),
    ("subprocess", "Popen", (NodeKind.COMMAND,)),
)
"""Classes of modules that a program may load later or never."""
_PUBLIC = {LOCK: "threading.Lock", RLOCK: "threading.RLock", SIMPLE_QUEUE: "queue.SimpleQueue"}


@dataclass(slots=True)
class Primitive:
    """What is known of one of them. A queue has two nodes, the others one."""

    ids: dict[NodeKind, str]
    name: str
    source: str
    created_ns: int
    type_name: str
    nodes: dict[str, Node] = field(default_factory=dict[str, Node])
    edges: dict[str, tuple[Edge, ...]] = field(default_factory=dict[str, tuple[Edge, ...]])
    seen_held: dict[str, int] = field(default_factory=dict[str, int])


class Primitives:
    """Those that somebody has waited for or had. For the watcher thread only."""

    def __init__(self, ids: NodeIds, inherited: Inherited | None = None) -> None:
        self._ids = ids
        self._inherited = inherited
        self._known: Identities[Primitive] = Identities()

    def record(self, thing: Any, name: str, source: str, now_ns: int) -> Primitive | None:
        """The record of a primitive, made at first sight; None for a thing of another type. `name`, `source`: the
        expression by which it is used, and where; kept from the first use that tells."""
        known = self._known.get(thing)
        if known is not None:
            known.name = known.name or name
            return known
        kinds = _kinds(cast("type[object]", type(thing)))
        if not kinds:
            return None
        kind = cast("type[object]", type(thing))
        record = Primitive(
            ids={one: self._ids.new(one, now_ns) for one in kinds},
            name=_command_name(thing) if kinds[0] is NodeKind.COMMAND else name,
            source=source or "unknown:0",
            created_ns=now_ns,
            type_name=_PUBLIC.get(kind) or f"{kind.__module__}.{kind.__name__}",
        )
        return record if self._known.put(thing, record) else None

    def known(self, thing: Any) -> Primitive | None:
        return self._known.get(thing)

    def things(self, wanted: AbstractSet[str]) -> dict[str, Any]:
        """The objects behind these nodes that live."""
        return {
            node_id: thing
            for thing, record in self._known.alive()
            for node_id in record.ids.values()
            if node_id in wanted
        }

    def forget_dead(self) -> None:
        self._known.forget_dead()

    def show(
        self,
        thing: Any,
        held: list[Held],
        thread_id: Callable[[int], str | None],
        sure: bool,
        observation: Observation,
        now_ns: int,
    ) -> None:
        """Adds the nodes of a primitive and who has it. `held`: by which threads and tasks, as their stacks show;
        `thread_id`: the node of a living thread; `sure`: whether the stacks are known to be those of one moment."""
        record = self._known.get(thing)
        if record is None:
            return
        state = self._state(thing, held, thread_id, now_ns)
        providers = state.providers
        if providers is Providers.CLOSED and not sure and not issubclass(type(thing), RLOCK):
            providers = Providers.ESTIMATED
        if self._inherited is not None:
            if state.holders:
                self._inherited.let_go(thing)
            else:
                state.attributes |= self._inherited.of_lock(thing, thread_id)
        state.attributes[semconv.RESOURCE_TYPE] = record.type_name
        for kind, node_id in record.ids.items():
            self._keep(record, kind, node_id, providers, state)
            observation.nodes[node_id] = record.nodes[node_id]
            observation.edges[node_id] = record.edges.get(node_id, ())

    def _keep(self, record: Primitive, kind: NodeKind, node_id: str, providers: Providers, state: State) -> None:
        """Keeps the objects of what is unchanged: the snapshot tells changes by identity."""
        attributes = dict(state.attributes)
        if state.channel is not None:
            attributes |= state.channel.of_tx if kind is NodeKind.TX else state.channel.of_rx
            if kind is NodeKind.TX and node_id not in record.edges:
                record.edges[node_id] = (Edge(EdgeKind.CHANNEL_LINK, node_id, record.ids[NodeKind.RX]),)
        else:
            holders = _since_first_seen(record, state.holders)
            edges = tuple(
                Edge(
                    EdgeKind.HELD_BY,
                    node_id,
                    one.task_id,
                    one.since_ns,
                    one.source or None,
                    one.confidence,
                    bare=one.bare,
                )
                for one in holders
            )
            if record.edges.get(node_id) != edges:
                record.edges[node_id] = edges
        node = Node(
            id=node_id,
            kind=kind,
            name=record.name,
            created_at=record.created_ns,
            source=record.source,
            confidence=Confidence.INFERRED,
            providers=providers,
            attributes=attributes,
        )
        if record.nodes.get(node_id) != node:
            record.nodes[node_id] = node

    def _state(self, thing: Any, held: list[Held], thread_id: Callable[[int], str | None], now_ns: int) -> State:
        kind = cast("type[object]", type(thing))
        if issubclass(kind, RLOCK):
            return _of_rlock(thing, held, thread_id, now_ns)
        if kind is LOCK:
            locked = internals.is_locked(thing)
            holders = _by_block_first(held) if locked else []
            return State({semconv.LOCK_LOCKED: locked}, of_lock(holders), holders)
        if issubclass(kind, threading.Semaphore):
            available, total = internals.number(thing, "_value"), internals.number(thing, "_initial_value")
            attributes = _numbers({semconv.SEMAPHORE_AVAILABLE: available, semconv.SEMAPHORE_PERMITS: total})
            return State(attributes, of_permits(held, available, total, total is not None), held)
        if issubclass(kind, threading.Event):
            waiters = internals.length(internals.attribute(thing, "_cond"), "_waiters")
            is_set = internals.attribute(thing, "_flag") is True
            return State({semconv.EVENT_IS_SET: is_set} | _numbers({semconv.RESOURCE_WAITERS: waiters}))
        if issubclass(kind, threading.Condition):
            return State(_numbers({semconv.RESOURCE_WAITERS: internals.length(thing, "_waiters")}))
        if issubclass(kind, threading.Barrier):
            return State(_numbers({semconv.RESOURCE_WAITERS: internals.number(thing, "_count")}))
        if issubclass(kind, (queue.Queue, SIMPLE_QUEUE)):
            return _of_queue(thing)
        if NodeKind.COMMAND in _kinds(kind):
            return State(_numbers({semconv.COMMAND_PID: _pid(thing)}))
        if _kinds(kind) == (
            NodeKind.LOCK,
        ):  # of `multiprocessing`: another process may have it, but not while ours has
            return State({}, of_lock(_by_block_first(held)), _by_block_first(held))
        return State({}, Providers.OPEN)


def _kinds(kind: type[object]) -> tuple[NodeKind, ...]:
    for known, kinds in _KINDS:
        if issubclass(kind, known):
            return kinds
    for module, name, kinds in _LATER:
        later = internals.process_class(module, name)
        if later is not None and issubclass(kind, later):
            return kinds
    return ()


def _since_first_seen(record: Primitive, holders: list[Held]) -> list[Held]:
    """A hold read off a stack: since the first look that saw it. It may have begun before that, not after."""
    seen = {one.task_id: min(one.since_ns, record.seen_held.get(one.task_id, one.since_ns)) for one in holders}
    record.seen_held = seen
    return [one._replace(since_ns=seen[one.task_id]) for one in holders]


def _by_block_first(held: list[Held]) -> list[Held]:
    """Of a lock, which only one can have: those in its block, if any; a bare `acquire()` was only inferred."""
    return [one for one in held if one.by_block] or held


def _of_rlock(lock: Any, held: list[Held], thread_id: Callable[[int], str | None], now_ns: int) -> State:
    owner = internals.rlock_owner(lock)
    attributes: dict[str, AttributeValue] = {semconv.LOCK_LOCKED: owner is not None}
    holder = None if owner is None else thread_id(owner)
    if holder is None:
        return State(attributes, Providers.OPEN)
    seen = next((one for one in held if one.task_id == holder), None)
    one = (
        Held(holder, now_ns, "", True, Confidence.EXACT) if seen is None else seen._replace(confidence=Confidence.EXACT)
    )
    return State(attributes, Providers.CLOSED, [one])


def _of_queue(thing: Any) -> State:
    from ..resource_states import Channel

    name = "queue.SimpleQueue" if type(thing) is SIMPLE_QUEUE else f"{type(thing).__module__}.{type(thing).__name__}"
    attributes: dict[str, AttributeValue] = {semconv.CHANNEL_TYPE: name}
    if issubclass(type(thing), SIMPLE_QUEUE):
        attributes[semconv.CHANNEL_LENGTH] = SIMPLE_QUEUE.qsize(thing)
        return State(attributes, channel=Channel(0, 0, {}, {}))
    attributes |= _numbers({semconv.CHANNEL_LENGTH: internals.length(thing, "queue")})
    capacity = internals.number(thing, "maxsize")
    if capacity is not None and capacity > 0:
        attributes[semconv.CHANNEL_CAPACITY] = capacity
    putters = internals.length(internals.attribute(thing, "not_full"), "_waiters")
    getters = internals.length(internals.attribute(thing, "not_empty"), "_waiters")
    unfinished = internals.number(thing, "unfinished_tasks")
    return State(
        attributes,
        channel=Channel(
            putters or 0,
            getters or 0,
            _numbers({semconv.CHANNEL_WAITERS: putters}),
            _numbers({semconv.CHANNEL_WAITERS: getters, semconv.CHANNEL_UNFINISHED: unfinished}),
        ),
    )


def _numbers(values: dict[str, int | None]) -> dict[str, AttributeValue]:
    return {name: value for name, value in values.items() if value is not None}


def _pid(process: object) -> int | None:
    """Of a `subprocess.Popen` or a `multiprocessing.Process`."""
    pid = internals.number(process, "pid")
    return pid if pid is not None else internals.number(internals.attribute(process, "_popen"), "pid")


def _command_name(process: object) -> str:
    """The program of a subprocess, without its arguments; the name of a `multiprocessing.Process`."""
    arguments = internals.attribute(process, "args")
    if type(arguments) in (list, tuple) and arguments:
        arguments = arguments[0]
    elif type(arguments) is str:
        arguments = arguments.split(maxsplit=1)[0] if arguments.strip() else ""
    if type(arguments) is bytes:
        arguments = os.fsdecode(arguments)
    if type(arguments) is str:
        return os.path.basename(arguments)
    name = internals.attribute(process, "_name")
    return name if type(name) is str else ""
