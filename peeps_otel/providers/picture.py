# SPDX-License-Identifier: Apache-2.0
"""What one provider has reported, as nodes and edges that keep their identity from report to report."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .. import semconv
from ..model import AttributeValue, Confidence, Edge, Node, NodeKind, Providers
from ..probes.identity import NodeIds
from .registered import Entry
from .rpc import Worker

_JSON_MOST = 2000


class Lead(NamedTuple):
    """Somebody waits for a node that was reported. `deadline_ns`: when a timer ends it."""

    waiter: str
    target: str
    operation: str
    deadline_ns: int | None = None


class OfSpan(NamedTuple):
    """What is reported of a request that the span processor has, too."""

    attributes: dict[str, AttributeValue]
    deadline_ns: int | None


class OfDescriptor(NamedTuple):
    """Whoever waits at this descriptor waits for `target`, since `since_ns` by the word of who reports it."""

    fd: int
    target: str
    operation: str
    since_ns: int


@dataclass(slots=True)
class Picture:
    """`users`: by node, who has it in hand. `of_spans`: by span id."""

    nodes: dict[str, Node] = field(default_factory=dict[str, Node])
    edges: dict[str, tuple[Edge, ...]] = field(default_factory=dict[str, tuple[Edge, ...]])
    leads: list[Lead] = field(default_factory=list[Lead])
    users: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    of_spans: dict[int, OfSpan] = field(default_factory=dict[int, OfSpan])
    of_descriptors: list[OfDescriptor] = field(default_factory=list[OfDescriptor])


class Around(NamedTuple):
    """What of the look a report is read with. `node_of`: a task or thread as a node; `is_live_span`: whether the span
    processor has this span."""

    now_ns: int
    young_ns: int
    node_of: Callable[[Worker], Node | None]
    is_live_span: Callable[[int], bool]

    def ids(self, workers: Iterable[Worker]) -> list[str]:
        found = (self.node_of(worker) for worker in workers)
        return list(dict.fromkeys(node.id for node in found if node is not None))


_Key = tuple[object, ...]


class Canvas:
    """The nodes of one provider. Nodes and tuples of edges that have not changed stay the same objects.

    For the watcher thread only. `begin` a picture, `put` and `draw` into it, `end` it.
    """

    def __init__(self, entry: Entry, ids: NodeIds) -> None:
        self._entry = entry
        self._ids = ids
        self._known: dict[_Key, tuple[str, int]] = {}
        self._seen: set[_Key] = set()
        self.picture = Picture()
        self._before = Picture()

    def begin(self) -> None:
        self._before, self.picture = self.picture, Picture()
        self._seen = set()

    def end(self) -> Picture:
        """Forgets what was not reported any more."""
        self._known = {key: known for key, known in self._known.items() if key in self._seen}
        self._before = Picture()
        return self.picture

    def id_of(self, kind: NodeKind, key: _Key, created_ns: int) -> str:
        """The id of the node of this key, given at first sight."""
        place = (kind, *key)
        self._seen.add(place)
        known = self._known.get(place)
        if known is None:
            known = self._known[place] = (self._ids.new(kind, created_ns), created_ns)
        return known[0]

    def put(
        self,
        kind: NodeKind,
        key: _Key,
        name: str,
        attributes: Mapping[str, AttributeValue | None],
        *,
        created_ns: int,
        state: str | None = None,
        source: str | None = None,
        providers: Providers = Providers.OPEN,
    ) -> str:
        """One node; attributes that are None are absent. Returns its id."""
        node_id = self.id_of(kind, key, created_ns)
        told: dict[str, AttributeValue] = {semconv.PROVIDER_NAME: self._entry.name}
        told |= {name: value for name, value in attributes.items() if value is not None}
        node = Node(
            id=node_id,
            kind=kind,
            name=name,
            created_at=self._known[(kind, *key)][1],
            source=source or self._entry.source,
            confidence=Confidence.INFERRED,
            state=state,
            providers=providers,
            attributes=told,
        )
        before = self._before.nodes.get(node_id)
        self.picture.nodes[node_id] = before if before == node and before is not None else node
        return node_id

    def draw(self, node_id: str, edges: Iterable[Edge]) -> None:
        """All outgoing edges of a node of the picture."""
        wanted = tuple(edges)
        before = self._before.edges.get(node_id)
        self.picture.edges[node_id] = before if before == wanted and before is not None else wanted

    def wait(self, waiters: Iterable[str], target: str, operation: str, deadline_ns: int | None = None) -> None:
        self.picture.leads += [Lead(waiter, target, operation, deadline_ns) for waiter in waiters]

    def use(self, users: Iterable[str], thing: str) -> None:
        self.picture.users += [(user, thing) for user in users]


def as_json(values: Mapping[str, Any]) -> str | None:
    """A map as one attribute; None for an empty one."""
    return json.dumps(dict(values), sort_keys=True, ensure_ascii=False)[:_JSON_MOST] if values else None
