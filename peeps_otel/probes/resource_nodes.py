# SPDX-License-Identifier: Apache-2.0
"""What is known of one thing that is waited for and held, and its nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .. import semconv
from ..model import AttributeValue, Confidence, Edge, EdgeKind, Node, NodeKind, Providers
from ..model.untracked import untracked
from .resource_types import Channel, Held, ResourceType, State

_USES_READ = 3
MadeOf = tuple[str, tuple[Held, ...], tuple[int | None, ...], object, dict[str, AttributeValue]]
"""Name, holders, the two parts of the fingerprint, what others know."""
_NO_EDGES: dict[str, tuple[Edge, ...]] = {}  # never written to


@dataclass(slots=True)
class ResourceRecord:
    """What is known of one thing. A queue has two nodes, the others one."""

    type: ResourceType
    ids: dict[NodeKind, str]
    name: str
    source: str
    created_ns: int
    confidence: Confidence
    initial: int | None
    attributes: dict[str, AttributeValue]
    nodes: tuple[Node, ...] = ()
    edges: Mapping[str, tuple[Edge, ...]] = field(default_factory=lambda: _NO_EDGES)
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
        found = None if kind is None else self.ids.get(kind)
        return found or self.ids.get(NodeKind.RX) or next(iter(self.ids.values()))


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
    tx, rx = record.ids[NodeKind.TX], record.ids[NodeKind.RX]
    of_tx = common | _waiters(channel.putters) | channel.of_tx
    of_rx = common | _waiters(channel.getters) | channel.of_rx
    _keep(record, 0, _node(record, NodeKind.TX, tx, Providers.OPEN, of_tx))
    _keep(record, 1, _node(record, NodeKind.RX, rx, Providers.OPEN, of_rx))
    if tx not in record.edges:
        record.edges = untracked({tx: untracked((untracked(Edge(EdgeKind.CHANNEL_LINK, tx, rx)),))})


def _waiters(count: int | None) -> dict[str, AttributeValue]:
    return {} if count is None else {semconv.CHANNEL_WAITERS: count}


def keep_only_node(record: ResourceRecord, state: State) -> None:
    ((kind, node_id),) = record.ids.items()
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
        attributes=record.attributes | attributes,
    )
    return untracked(node)


def _keep(record: ResourceRecord, place: int, node: Node) -> None:
    """Keeps the object of an unchanged node: the snapshot tells changes by identity."""
    if place == len(record.nodes) or record.nodes[place] != node:
        record.nodes = untracked((*record.nodes[:place], node, *record.nodes[place + 1 :]))
