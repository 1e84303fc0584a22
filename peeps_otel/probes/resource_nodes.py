# SPDX-License-Identifier: Apache-2.0
"""What is known of one thing that is waited for and held, and its nodes."""

from __future__ import annotations

from dataclasses import dataclass

from .. import semconv
from ..model import AttributeValue, Confidence, Edge, EdgeKind, Node, NodeKind, Providers
from ..model.untracked import untracked
from .resource_types import Channel, Held, ResourceType, State

_USES_READ = 3
MadeOf = tuple[str, tuple[Held, ...], tuple[int | None, ...], object, dict[str, AttributeValue]]
"""Name, holders, the two parts of the fingerprint, what others know."""
_ATTRIBUTES_MOST = 4096


@dataclass(slots=True)
class ResourceRecord:
    """What is known of one thing. A queue has two nodes, the others one: `ids`, in the order of the type's kinds."""

    type: ResourceType
    ids: tuple[str, ...]
    name: str
    source: str
    created_ns: int
    confidence: Confidence
    initial: int | None
    attributes: dict[str, AttributeValue]
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()  # of the first of its nodes: no other has any
    seen_held: dict[str, int] | None = None  # by holder: when it was first seen
    uses_read: int = 0
    number: int = 0  # among those of the same name; 0: the name need not tell it from others
    described: MadeOf | None = None  # what its nodes were made of
    on_stacks: dict[str, tuple[Held, ...]] | None = None  # by task: its holds, as its chain of awaits shows them
    is_due: bool = True  # to be described at the next look, whoever's turn it is

    @property
    def is_quiet(self) -> bool:
        """Whether its state changes only with a step of somebody who waits for it or has it."""
        return self.type.fingerprint is not None

    @property
    def is_named(self) -> bool:
        """Whether no further use needs to be read for its name."""
        return bool(self.name) or self.uses_read >= _USES_READ

    def node_of(self, kind: NodeKind | None) -> str:
        """The node that is waited for: of a thing with two, the one of this kind."""
        found = None if kind is None else self.node_id(kind)
        return found or self.node_id(NodeKind.RX) or self.ids[0]

    def node_id(self, kind: NodeKind) -> str | None:
        """Its node of this kind; None where it has none."""
        kinds = self.type.kinds
        return self.ids[kinds.index(kind)] if kind in kinds else None


def since_first_seen(record: ResourceRecord, holders: list[Held], now_ns: int) -> list[Held]:
    """A hold that was not recorded: since the first look that saw it, or since its holder began to wait, whichever was
    earlier. It may have begun before that, not after."""
    if not holders:
        record.seen_held = None
        return holders
    before = record.seen_held or {}
    seen: dict[str, int] = {}
    result: list[Held] = []
    for held in holders:
        if not held.exact:
            known = min(before.get(held.holder_id, now_ns), held.since_ns)
            seen[held.holder_id] = known
            held = held._replace(since_ns=known)
        result.append(held)
    record.seen_held = seen
    return result


def keep_channel(record: ResourceRecord, state: State, channel: Channel) -> None:
    common = state.attributes | {semconv.CHANNEL_TYPE: record.attributes[semconv.RESOURCE_TYPE]}
    tx, rx = record.ids
    of_tx = common | _waiters(channel.putters) | channel.of_tx
    of_rx = common | _waiters(channel.getters) | channel.of_rx
    _keep(record, 0, _node(record, NodeKind.TX, tx, Providers.OPEN, of_tx))
    _keep(record, 1, _node(record, NodeKind.RX, rx, Providers.OPEN, of_rx))
    if not record.edges:
        record.edges = untracked((untracked(Edge(EdgeKind.CHANNEL_LINK, tx, rx)),))


def _waiters(count: int | None) -> dict[str, AttributeValue]:
    return {} if count is None else {semconv.CHANNEL_WAITERS: count}


def keep_only_node(record: ResourceRecord, state: State) -> None:
    ((kind, node_id),) = zip(record.type.kinds, record.ids, strict=True)
    _keep(record, 0, _node(record, kind, node_id, state.providers, state.attributes))


def _node(
    record: ResourceRecord, kind: NodeKind, node_id: str, providers: Providers, attributes: dict[str, AttributeValue]
) -> Node:
    node = Node(
        id=node_id,
        kind=kind,
        name=record.name,
        created_at=record.created_ns,
        source=record.source,
        confidence=record.confidence,
        providers=providers,
        attributes=_shared(record.attributes | attributes),
    )
    return untracked(node)


_attributes: dict[tuple[tuple[str, AttributeValue], ...], dict[str, AttributeValue]] = {}


def _shared(attributes: dict[str, AttributeValue]) -> dict[str, AttributeValue]:
    """One dictionary for all nodes of which the same is said: of very many, most are alike. For the watcher thread
    only."""
    key = tuple(attributes.items())
    known = _attributes.get(key)
    if known is None or any(map(_is_another, known.values(), attributes.values())):
        if len(_attributes) >= _ATTRIBUTES_MOST:
            _attributes.clear()
        known = _attributes[key] = attributes
    return known


def _is_another(one: AttributeValue, other: AttributeValue) -> bool:
    """True equals 1."""
    return type(one) is not type(other)


def _keep(record: ResourceRecord, place: int, node: Node) -> None:
    """Keeps the object of an unchanged node: the snapshot tells changes by identity."""
    if place == len(record.nodes) or record.nodes[place] != node:
        record.nodes = untracked((*record.nodes[:place], node, *record.nodes[place + 1 :]))
