# SPDX-License-Identifier: Apache-2.0
"""The things that tasks wait for and hold, as nodes: locks, semaphores, events, conditions, queues, connections."""

from __future__ import annotations

import socket
from asyncio import locks, queues, subprocess
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ... import semconv
from ...model import AttributeValue, Confidence, Edge, EdgeKind, Node, NodeKind, Providers
from ..identity import Identities, NodeIds
from ..internals import asyncio_core as internals
from ..internals import asyncio_io as io_internals
from ..patches.recorder import ORIGIN, Origin
from ..probe import Yield
from ..resource_states import Channel, Held, State, TaskId
from ..source import source_text
from ..unique_names import UniqueNames
from . import endpoints, states
from .endpoints import Known

_YIELD_EVERY = 50
_TOLD_APART = frozenset(
    {NodeKind.LOCK, NodeKind.SEMAPHORE, NodeKind.CONDITION, NodeKind.BARRIER, NodeKind.TX}
)  # an event is often one of very many, made for one request
_USES_READ = 3
_NAMES_MOST = 200  # characters


class Species(NamedTuple):
    """One type of things. `reads`: its state at each look, given the holders seen on stacks and the permits it began
    with; `knows`: name and attributes that never change, read once."""

    cls: type[Any]
    kinds: tuple[NodeKind, ...]
    reads: Callable[[Any, list[Held], TaskId, int | None], State] | None
    knows: Callable[[Any], Known] | None = None
    type_name: str = ""


@dataclass(slots=True)
class ResourceRecord:
    """What is known of one thing. A queue has two nodes, the others one."""

    ids: dict[NodeKind, str]
    name: str
    source: str
    created_ns: int
    confidence: Confidence
    initial: int | None
    reads: Callable[[Any, list[Held], TaskId, int | None], State] | None
    attributes: dict[str, AttributeValue]
    nodes: list[Node] = field(default_factory=list[Node])
    edges: dict[str, tuple[Edge, ...]] = field(default_factory=dict[str, tuple[Edge, ...]])
    seen_held: dict[str, int] = field(default_factory=dict[str, int])
    uses_read: int = 0
    putters: int = 0
    number: int = 0  # among those of the same name; 0: the name need not tell it from others

    @property
    def is_named(self) -> bool:
        """Whether no further use needs to be read for its name."""
        return bool(self.name) or self.uses_read >= _USES_READ


_SPECIES = [
    Species(locks.Condition, (NodeKind.CONDITION,), states.of_a_condition),
    Species(locks.Lock, (NodeKind.LOCK,), states.of_a_lock),
    Species(locks.Semaphore, (NodeKind.SEMAPHORE,), states.of_a_semaphore),
    Species(locks.Event, (NodeKind.EVENT,), states.of_an_event),
    Species(locks.Barrier, (NodeKind.BARRIER,), states.of_a_barrier),
    Species(queues.Queue, (NodeKind.TX, NodeKind.RX), states.of_a_queue),
    Species(socket.socket, (NodeKind.IO,), None, endpoints.connection),
    Species(subprocess.Process, (NodeKind.COMMAND,), None, endpoints.command),
]
_TRANSPORT = Species(object, (NodeKind.IO,), None, endpoints.transport)


class Resources:
    """The things that somebody waits for or holds, or did. For the watcher thread only."""

    def __init__(self, ids: NodeIds) -> None:
        self._ids = ids
        self._known: Identities[ResourceRecord] = Identities()
        self._names = UniqueNames()
        self._species = list(_SPECIES)

    def learn(self, species: list[Species]) -> None:
        """Adds the types of another library."""
        self._species += species

    def record(self, thing: Any, now_ns: int, guess: Callable[[], tuple[str, str]]) -> ResourceRecord | None:
        """The record of a thing, made at first sight; None for a type that is not a resource.

        `guess` gives name and `path:line` from the place of use, for one whose creation was not recorded.
        """
        known = self._known.get(thing)
        if known is not None:
            if not known.is_named:  # another use may tell what it is called
                known.uses_read += 1
                self._name(known, guess()[0])
            return known
        species = self._species_of(thing)
        if species is None:
            return None
        made = _origin(thing)
        name, source = "", ""
        type_name = species.type_name or f"{type(thing).__module__.partition('.')[0]}.{type(thing).__name__}"
        attributes: dict[str, AttributeValue] = {semconv.RESOURCE_TYPE: type_name}
        if species.knows is not None:
            name, more = species.knows(thing)
            attributes |= more
        if made is not None:
            name = source_text.assigned_name(made.code, made.lasti)
            source = source_text.source_of(made.code, made.lasti)
        if not name or not source:
            guessed = guess()
            name, source = name or guessed[0], source or guessed[1]
        created = now_ns if made is None else made.time_ns
        record = ResourceRecord(
            ids={kind: self._ids.new(kind, created) for kind in species.kinds},
            name="",
            source=source or "unknown:0",
            created_ns=created,
            confidence=Confidence.INFERRED if made is None else Confidence.EXACT,
            initial=None if made is None else internals.whole(made.initial),
            reads=species.reads,
            attributes=attributes,
        )
        if not self._known.put(thing, record):
            return None
        self._name(record, name[:_NAMES_MOST], tell_apart=species.knows is None)
        return record

    def _name(self, record: ResourceRecord, name: str, tell_apart: bool = True) -> None:
        kind = next(iter(record.ids))
        if tell_apart and kind in _TOLD_APART:
            record.name, record.number = self._names.take(kind, name)
        else:
            record.name = name

    def _forget(self, gone: list[ResourceRecord]) -> None:
        for record in gone:
            self._names.give_back(next(iter(record.ids)), record.name, record.number)

    def _species_of(self, thing: Any) -> Species | None:
        for species in self._species:
            if issubclass(type(thing), species.cls):
                return species
        return _TRANSPORT if io_internals.is_transport(thing) else None

    def known(self, thing: Any) -> ResourceRecord | None:
        return self._known.get(thing)

    def things(self, wanted: AbstractSet[str]) -> dict[str, Any]:
        """The objects behind these nodes that live."""
        return {
            node_id: thing
            for thing, record in self._known.alive()
            for node_id in record.ids.values()
            if node_id in wanted
        }

    def full_channels(self) -> dict[int, str]:
        """The `tx` node of each channel that somebody waits to put into, by the address of the channel."""
        return {
            id(channel): record.ids[NodeKind.TX]
            for reference, record in self._known.records()
            if record.putters > 0 and (channel := reference()) is not None
        }

    def look(self, held: dict[int, list[Held]], tasks: TaskId, now_ns: int, pause: Yield) -> list[str]:
        """Brings the nodes and edges of every living resource up to date. Returns what could not be read.

        `held`: what was read off the stacks, by the address of the resource; `tasks`: the node id of a task.
        """
        self._forget(self._known.forget_dead())
        failed: dict[str, int] = {}
        for number, (reference, record) in enumerate(self._known.records()):
            if number % _YIELD_EVERY == 0:
                pause()
            thing = reference()
            if thing is None:
                continue
            try:
                _describe(thing, record, held.get(id(thing), []), tasks, now_ns)
            except Exception as error:
                failed[type(error).__name__] = failed.get(type(error).__name__, 0) + 1
        return [f"{count} resources could not be read: {name}" for name, count in failed.items()]

    def records(self) -> list[ResourceRecord]:
        return [record for _, record in self._known.records()]


def _origin(primitive: Any) -> Origin | None:
    target = internals.condition_lock(primitive) if issubclass(type(primitive), locks.Condition) else primitive
    origin = states.fact(target, ORIGIN)
    return Origin(*origin) if type(origin) is tuple else None


def _describe(thing: Any, record: ResourceRecord, on_stacks: list[Held], tasks: TaskId, now_ns: int) -> None:
    if record.reads is None:
        if not record.nodes:
            _keep_only_node(record, State({}))
        return
    state = record.reads(thing, on_stacks, tasks, record.initial)
    if state.channel is not None:
        _keep_channel(record, state, state.channel)
        return
    _keep_only_node(record, state)
    (node_id,) = record.ids.values()
    edges = tuple(
        Edge(
            EdgeKind.HELD_BY,
            node_id,
            held.task_id,
            held.since_ns,
            held.source or None,
            held.confidence,
            bare=held.bare,
        )
        for held in _since_first_seen(record, state.holders, now_ns)
    )
    if record.edges.get(node_id) != edges:
        record.edges[node_id] = edges


def _since_first_seen(record: ResourceRecord, holders: list[Held], now_ns: int) -> list[Held]:
    """A hold that was not recorded: since the first look that saw it, or since its holder began to wait, whichever was
    earlier. It may have begun before that, not after."""
    seen: dict[str, int] = {}
    result: list[Held] = []
    for held in holders:
        if not held.exact:
            known = min(record.seen_held.get(held.task_id, now_ns), held.since_ns)
            seen[held.task_id] = known
            held = held._replace(since_ns=known)
        result.append(held)
    record.seen_held = seen
    return result


def _keep_channel(record: ResourceRecord, state: State, channel: Channel) -> None:
    record.putters = channel.putters
    common = state.attributes | {semconv.CHANNEL_TYPE: record.attributes[semconv.RESOURCE_TYPE]}
    tx, rx = record.ids[NodeKind.TX], record.ids[NodeKind.RX]
    waiting = semconv.CHANNEL_WAITERS
    of_tx = common | {waiting: channel.putters} | channel.of_tx
    of_rx = common | {waiting: channel.getters} | channel.of_rx
    _keep(record, 0, _node(record, NodeKind.TX, tx, Providers.OPEN, of_tx))
    _keep(record, 1, _node(record, NodeKind.RX, rx, Providers.OPEN, of_rx))
    if tx not in record.edges:
        record.edges[tx] = (Edge(EdgeKind.CHANNEL_LINK, tx, rx),)


def _keep_only_node(record: ResourceRecord, state: State) -> None:
    ((kind, node_id),) = record.ids.items()
    _keep(record, 0, _node(record, kind, node_id, state.providers, state.attributes))


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
        attributes=record.attributes | attributes,
    )


def _keep(record: ResourceRecord, place: int, node: Node) -> None:
    """Keeps the object of an unchanged node: the snapshot tells changes by identity."""
    if place == len(record.nodes):
        record.nodes.append(node)
    elif record.nodes[place] != node:
        record.nodes[place] = node
