# SPDX-License-Identifier: Apache-2.0
"""Who waits at a connection for what the handler of a call is to write: a call without a span of its client, or of
which that has ended before the answer was read.

A response says over which connection it is awaited, as far as the span of its server does; who waits at the client's
end says what that is called. So nobody need ask the heap, which does not see through a transport in C.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace

from peeps_otel import semconv
from peeps_otel.diagnosis.parties import Party, Turned
from peeps_otel.model import Confidence, Edge, EdgeKind, Node, NodeKind
from peeps_otel.model.rpc_over import rpc_over

_AT_ENDS = frozenset({NodeKind.IO, NodeKind.REQUEST})


@dataclass(slots=True)
class _End:
    """A client's, at which somebody waits, or the request whose answer is awaited there."""

    node: Node
    process: str
    links: tuple[Edge, ...] = ()


@dataclass(slots=True)
class _Answer:
    """A response that is to come, and who handles it."""

    node: Node
    of: Party
    handlers: tuple[str, ...]


class Answering:
    """Not thread-safe: guarded by the lock of the live graph."""

    def __init__(self) -> None:
        self._ends: dict[str, _End] = {}
        self._answers: dict[str, _Answer] = {}
        self._ends_of: dict[str, set[str]] = {}  # by connection, as are
        self._answers_of: dict[str, set[str]] = {}
        self._read_at: dict[str, set[str]] = {}  # ends at which somebody reads, by their names

    def put(self, node: Node, edges: Sequence[Edge], of: Party) -> list[Turned]:
        """A node as it is now. Of others than responses, ends of connections and requests that wait at one nothing is
        kept."""
        over, known = _connection(node), self._answers.get(node.id) or self._ends.get(node.id)
        turned = self.drop(node.id) if known is not None and _connection(known.node) != over else []
        if not over:
            return turned
        if node.kind is NodeKind.RESPONSE:
            handlers = tuple(edge.dst for edge in edges if edge.kind is EdgeKind.HANDLED_BY)
            self._answers[node.id] = _Answer(node, of, handlers)
            self._answers_of.setdefault(over, set()).add(node.id)
            return turned + self._settle(over)
        end = self._ends.get(node.id)
        self._ends[node.id] = _End(node, of.key, () if end is None else end.links)
        self._ends_of.setdefault(over, set()).add(node.id)
        self._read_at.setdefault(_name(node, semconv.IO_HERE), set()).add(node.id)
        return turned + self._settle(over) + self._settle(_over_of_peer(node))

    def drop(self, node_id: str) -> list[Turned]:
        """A node is gone."""
        answer = self._answers.pop(node_id, None)
        if answer is not None:
            over = _connection(answer.node)
            _remove(self._answers_of, over, node_id)
            return self._settle(over)
        end = self._ends.pop(node_id, None)
        if end is None:
            return []
        _remove(self._ends_of, _connection(end.node), node_id)
        _remove(self._read_at, _name(end.node, semconv.IO_HERE), node_id)
        turned = [Turned(end.process, node_id, end.links, ())] if end.links else []
        return turned + self._settle(_over_of_peer(end.node))

    def links(self, node_id: str) -> tuple[Edge, ...]:
        """Who is to write what somebody waits for there."""
        end = self._ends.get(node_id)
        return () if end is None else end.links

    def dressed(self, node: Node) -> Node:
        """The node with what is said of it by that."""
        end = self._ends.get(node.id)
        if end is None or not end.links:
            return node
        answers = self._answering(end)
        methods = dict.fromkeys(str(one.node.attributes.get(semconv.METHOD, one.node.name)) for one in answers)
        said = {
            semconv.COULD_END_ASKED: max(one.node.created_at for one in answers),
            semconv.IO_PEER_PROCESS: " and ".join(dict.fromkeys(one.of.name for one in answers)),
            semconv.COULD_END_BY: f"who handles {' and '.join(methods)}",
        }
        return replace(node, attributes=node.attributes | said)

    def ids(self) -> Set[str]:
        return self._ends.keys()

    def _settle(self, over: str) -> list[Turned]:
        turned: list[Turned] = []
        for node_id in self._ends_of.get(over, ()):
            end = self._ends[node_id]
            before, end.links = end.links, tuple(_links(node_id, self._answering(end)))
            if before != end.links:
                turned.append(Turned(end.process, node_id, before, end.links))
        return turned

    def _answering(self, end: _End) -> list[_Answer]:
        """None where something has come already, or is not known to be answered by another process; nor where that
        reads there as well: of a websocket it is not known who is to begin."""
        if end.node.attributes.get(semconv.IO_UNREAD) != 0 or _name(end.node, semconv.IO_THERE) in self._read_at:
            return []
        known = sorted(self._answers_of.get(_connection(end.node), ()))
        answers = [self._answers[one] for one in known]
        return answers if all(one.handlers and one.of.key != end.process for one in answers) else []


def _connection(node: Node) -> str:
    """Of a response that is awaited over one within its host, and of the client's end of one at which somebody reads;
    empty for any other."""
    about = node.attributes
    if node.kind is NodeKind.RESPONSE:
        over = about.get(semconv.RPC_OVER)
        return over if isinstance(over, str) else ""
    here = _name(node, semconv.IO_HERE)
    if node.kind not in _AT_ENDS or "/tcp/" not in here:
        return ""
    if about.get(semconv.IO_IS_FAR) is True or semconv.IO_UNMOVED_SINCE in about:
        return ""
    return rpc_over(here)


def _over_of_peer(end: Node) -> str:
    """By what the responses are called that are awaited at its other end."""
    return rpc_over(_name(end, semconv.IO_THERE))


def _name(node: Node, attribute: str) -> str:
    value = node.attributes.get(attribute)
    return value if isinstance(value, str) else ""


def _links(node_id: str, answers: Iterable[_Answer]) -> Iterable[Edge]:
    handlers = dict.fromkeys(handler for one in answers for handler in one.handlers)
    return (Edge(EdgeKind.COULD_END, node_id, one, confidence=Confidence.INFERRED) for one in handlers)


def _remove(table: dict[str, set[str]], key: str, node_id: str) -> None:
    known = table.get(key)
    if known is not None:
        known.discard(node_id)
        if not known:
            del table[key]
