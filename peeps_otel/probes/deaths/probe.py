# SPDX-License-Identifier: Apache-2.0
"""The dead as nodes, as long as somebody waits for what they had in their hands."""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from types import CodeType
from typing import Any

from ... import semconv
from ...model import AttributeValue, Confidence, Edge, EdgeKind, Node, NodeKind, own_line
from ..context import ProbeContext
from ..heap.wakers import wakers_of
from ..probe import Observation, Yield
from ..source import own_code
from .death import Death, Had

_BY_DEFAULT = re.compile(r"Task-\d+")
_PLACES_MOST = 256
_OF_A_PLACE_MOST = 4
_TAKES = frozenset({"acquire", "release"})
_CONSUMES = frozenset({"get", "get_nowait", "receive", "receive_nowait", "task_done"})
_Place = tuple[NodeKind, CodeType | None, int, str]


class Ledger:
    """Who has died and was not taken note of yet. `report` from any thread."""

    def __init__(self) -> None:
        self._heard: deque[Death] = deque(maxlen=_PLACES_MOST)

    def report(self, death: Death | None) -> None:
        if death is not None and death.had:
            self._heard.append(death)

    def take(self) -> list[Death]:
        found: list[Death] = []
        while self._heard:
            found.append(self._heard.popleft())
        return found

    def clear(self) -> None:
        self._heard.clear()


class Deaths:
    """A `Probe`. The last four that died of the same at the same line, of the last 256 such places. `messages`: whether
    the texts of exceptions are told."""

    name = "deaths"

    def __init__(self, context: ProbeContext, ledger: Ledger, messages: bool = False) -> None:
        self._context, self._ledger, self._messages = context, ledger, messages
        self._known: OrderedDict[_Place, deque[tuple[Death, str]]] = OrderedDict()
        self._nodes: dict[str, tuple[Node, tuple[Edge, ...]]] = {}

    def install(self) -> None:
        """What tells of them is installed by others."""

    def uninstall(self) -> None:
        """Nor is there anything to undo."""

    def observe(self, observation: Observation, now_ns: int, pause: Yield) -> None:
        """They are shown once all that is waited for is known."""

    def confirm(self, observation: Observation, now_ns: int, pause: Yield) -> None:
        for death in self._ledger.take():
            self._note(death)
        had = [
            (death, node_id, edges)
            for deaths in self._known.values()
            for death, node_id in deaths
            if (edges := self._edges(death, node_id, observation))
        ]
        nodes: dict[str, tuple[Node, tuple[Edge, ...]]] = {}
        waited_for = _waited_for(observation) if had else set[str]()  # most that died had nothing that still lives
        for death, node_id, edges in had:
            wanted = tuple(edge for edge in edges if edge.dst in waited_for)
            if wanted:
                nodes[node_id] = self._node(death, node_id, wanted)
        self._nodes = nodes
        for node, edges in nodes.values():
            observation.nodes[node.id], observation.edges[node.id] = node, edges

    def _note(self, death: Death) -> None:
        code, line = death.stack[-1] if death.stack else (None, 0)
        place = (death.kind, code, line, death.error)
        deaths = self._known.get(place)
        if deaths is None:
            deaths = self._known[place] = deque(maxlen=_OF_A_PLACE_MOST)
        if any(one.exception == death.exception for one, _ in deaths):
            return  # told of by the look, and again when the task was collected
        deaths.append((death, self._context.ids.new(NodeKind.CUSTOM, death.time_ns)))
        self._known.move_to_end(place)
        if len(self._known) > _PLACES_MOST:
            self._known.popitem(last=False)

    def _edges(self, death: Death, node_id: str, observation: Observation) -> tuple[Edge, ...]:
        """To the things it had that are shown."""
        found: list[Edge] = []
        for had in death.had:
            thing = had.thing()
            if thing is None:
                continue
            for kind, of in self._nodes_of(thing):
                if of in observation.nodes:
                    used = _used(kind, thing, had)
                    confidence = Confidence.EXACT if used else Confidence.INFERRED
                    found.append(Edge(EdgeKind.HAD, node_id, of, death.time_ns, confidence=confidence))
        return tuple(found)

    def _nodes_of(self, thing: Any) -> list[tuple[NodeKind, str]]:
        record = self._context.resources.known(thing)
        if record is not None:
            return list(zip(record.type.kinds, record.ids, strict=True))
        future = self._context.futures.known(thing)
        return [] if future is None else [(NodeKind.FUTURE, future)]

    def _node(self, death: Death, node_id: str, edges: tuple[Edge, ...]) -> tuple[Node, tuple[Edge, ...]]:
        """The same objects as before where nothing has changed: the snapshot tells changes by identity."""
        known = self._nodes.get(node_id)
        if known is not None:
            return known if known[1] == edges else (known[0], edges)
        stack = tuple(own_code.frame(code, line) for code, line in death.stack)
        attributes: dict[str, AttributeValue] = {
            semconv.DIED_AS: str(death.kind),
            semconv.DIED_OF: death.error,
            semconv.DIED_AT: death.time_ns,
        }
        if self._messages and death.message:
            attributes[semconv.DIED_MESSAGE] = death.message
        node = Node(
            id=node_id,
            kind=NodeKind.CUSTOM,
            name=_name(death),
            created_at=death.time_ns,
            source=own_line.source(own_line.innermost(stack) or (stack[-1] if stack else None)) or own_line.UNKNOWN,
            stack=stack,
            attributes=attributes,
        )
        return node, edges


def _waited_for(observation: Observation) -> set[str]:
    return {edge.dst for edges in observation.edges.values() for edge in edges if edge.kind is EdgeKind.NEEDS}


def _name(death: Death) -> str:
    """A task that nobody named, and whose coroutine is gone, by the function that it began with."""
    begun = death.stack and death.kind is NodeKind.TASK and _BY_DEFAULT.fullmatch(death.name)
    return f"{death.stack[0][0].co_qualname} ({death.name})" if begun else death.name


def _used(kind: NodeKind, thing: Any, had: Had) -> bool:
    """Whether the functions that were left do with such a thing what ends the waits of others."""
    if kind in (NodeKind.LOCK, NodeKind.SEMAPHORE):
        return not _TAKES.isdisjoint(had.names)
    if kind is NodeKind.RX and not _CONSUMES.isdisjoint(had.names):
        return True  # somebody may be in `join()`
    return not wakers_of(kind, type(thing).__module__).isdisjoint(had.names)
