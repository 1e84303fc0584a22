# SPDX-License-Identifier: Apache-2.0
"""The two ends of connections and pipes within one host, in whatever order they are told.

A request whose answer nobody is seen to work on is waited for at a connection, and carries the names of its ends.
Who waits at an end names it and the other one. The processes of that host are asked for the other one, and show who has
it, by their heap. So it is said here of what is waited for who could end the wait: edges into another process, beside
the processes' own nodes and edges, which are never changed. Said only where nothing is on its way, and where all who
have the other end open are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from .. import semconv
from ..model import AttributeValue, Confidence, Edge, EdgeKind, Node, NodeKind
from ..model.end_digest import end_digest
from .parties import Party, Turned

_AGAIN_NS = 60_000_000_000
_ASKED_MOST = 50  # at a time
_ENDERS = frozenset({EdgeKind.COULD_END, EdgeKind.REACHED_BY})
_AT_ENDS = frozenset({NodeKind.IO, NodeKind.REQUEST})
_COPIED = (semconv.COULD_END_ASKED, semconv.COULD_END_BY, semconv.COULD_END_OPEN)


class EndQuestion(NamedTuple):
    """`digest`: of the name of an end that somebody waits for the other side of."""

    process: str
    digest: str


@dataclass(slots=True)
class _End:
    """One that somebody waits for. `said`, `links`: what the others' ends say of it."""

    node: Node
    of: Party
    said: dict[str, AttributeValue] = field(default_factory=dict[str, AttributeValue])
    links: tuple[Edge, ...] = ()
    asked: set[str] = field(default_factory=set[str])
    due_ns: int = 0


@dataclass(slots=True)
class _Far:
    """One that somebody else waits for, with who could use it."""

    node: Node
    of: Party
    edges: tuple[Edge, ...]


class Ends:
    """Not thread-safe: guarded by the lock of the live graph."""

    def __init__(self) -> None:
        self._waited: dict[str, _End] = {}
        self._waiting_for: dict[str, dict[str, _End]] = {}  # by the name of the other end
        self._far: dict[str, _Far] = {}
        self._parties: frozenset[str] = frozenset()
        self._known: dict[str, dict[str, _Far]] = {}  # by name

    # --- writing ------------------------------------------------------------------------------------------------------

    def put(self, node: Node, edges: Sequence[Edge], of: Party) -> list[Turned]:
        """A node as it is now. Of others than ends of connections and pipes, and requests that wait at one, nothing is
        kept."""
        if node.kind not in _AT_ENDS:
            return []
        here, there = node.attributes.get(semconv.IO_HERE), node.attributes.get(semconv.IO_THERE)
        if not isinstance(here, str) or not isinstance(there, str):
            return self.drop(node.id)
        if node.attributes.get(semconv.IO_IS_FAR) is True:
            enders = tuple(edge for edge in edges if edge.kind in _ENDERS)
            far = self._far[node.id] = _Far(node, of, enders)
            self._known.setdefault(here, {})[node.id] = far
            return self._settle(self._waiting_for.get(here, {}).values())
        end = self._waited.get(node.id)
        if end is not None and _name(end.node, semconv.IO_THERE) == there:
            if of.host != end.of.host:  # the first to tell of a process may say less of it than its snapshots
                end.due_ns = 0
            end.node, end.of = node, of
        else:
            before = self.drop(node.id)
            end = self._waited[node.id] = _End(node, of)
            self._waiting_for.setdefault(there, {})[node.id] = end
            return before + self._settle([end])
        return self._settle([end])

    def drop(self, node_id: str) -> list[Turned]:
        """A node is gone, or is none of these any more."""
        far = self._far.pop(node_id, None)
        if far is not None:
            here = _name(far.node, semconv.IO_HERE)
            _remove(self._known, here, node_id)
            return self._settle(self._waiting_for.get(here, {}).values())
        end = self._waited.pop(node_id, None)
        if end is None:
            return []
        _remove(self._waiting_for, _name(end.node, semconv.IO_THERE), node_id)
        return [Turned(end.of.key, node_id, end.links, ())] if end.links or end.said else []

    def wanted(self, parties: Sequence[Party], now_ns: int) -> list[EndQuestion]:
        """Whom to ask for which end now: everybody on its host once, and who has it again while somebody waits."""
        keys = frozenset(party.key for party in parties)
        changed, self._parties = keys != self._parties, keys
        found: list[EndQuestion] = []
        for there, ends in self._waiting_for.items():
            end = next(iter(ends.values()))
            if not changed and now_ns < end.due_ns:
                continue
            have = {far.of.key for far in self._known.get(there, {}).values()} if now_ns >= end.due_ns else set[str]()
            digest = end_digest(there)
            for party in parties:
                if party.host == end.of.host and (party.key not in end.asked or party.key in have):
                    found.append(EndQuestion(party.key, digest))
                    end.asked.add(party.key)
            end.due_ns = now_ns + _AGAIN_NS
            if len(found) >= _ASKED_MOST:
                self._parties = frozenset()  # the rest at the next time
                break
        return found

    # --- reading ------------------------------------------------------------------------------------------------------

    def links(self, node_id: str) -> tuple[Edge, ...]:
        """Who could end a wait for it, by the other end."""
        end = self._waited.get(node_id)
        return () if end is None else end.links

    def dressed(self, node: Node) -> Node:
        """The node with what is known of its other end."""
        end = self._waited.get(node.id)
        return node if end is None or not end.said else replace(node, attributes=node.attributes | end.said)

    def ids(self) -> Set[str]:
        return self._waited.keys()

    # --- inside -------------------------------------------------------------------------------------------------------

    def _settle(self, ends: Iterable[_End]) -> list[Turned]:
        turned: list[Turned] = []
        for end in ends:
            before = end.said, end.links
            end.said, end.links = self._judged(end)
            if (end.said, end.links) != before:
                turned.append(Turned(end.of.key, end.node.id, before[1], end.links))
        return turned

    def _judged(self, end: _End) -> tuple[dict[str, AttributeValue], tuple[Edge, ...]]:
        others = list(self._known.get(_name(end.node, semconv.IO_THERE), {}).values())
        if not others:
            return {}, ()
        said: dict[str, AttributeValue] = {
            semconv.IO_PEER_PROCESS: " and ".join(
                dict.fromkeys(_name(one.node, semconv.IO_PEER_PROCESS) or one.of.name for one in others)
            )
        }
        if not _all_known(others) or not _is_quiet(end, others):
            return said, ()
        if all(one.node.attributes.get(semconv.IO_BY_NUMBER) is True for one in others):
            said[semconv.IO_BY_NUMBER] = True
            have = sorted({edge.dst for one in others for edge in one.edges})
            reached = (Edge(EdgeKind.REACHED_BY, end.node.id, dst, confidence=Confidence.INFERRED) for dst in have)
            return said, tuple(reached)
        edges = [edge for one in others for edge in one.edges]
        if not edges or not all(_is_ours(one.node) for one in others):
            return said, ()
        able = any(edge.kind is EdgeKind.COULD_END for edge in edges)
        if not able and any(semconv.COULD_END_OPEN in one.node.attributes for one in others):
            return said, ()  # C code may write to it as well: the wakeup descriptor of signals
        for name in _COPIED:
            value = next((one.node.attributes[name] for one in others if name in one.node.attributes), None)
            if value is not None:
                said[name] = value
        # Where nobody who has it writes any more, whoever lets go of it still ends the wait.
        known = dict.fromkeys((edge.kind if able else EdgeKind.COULD_END, edge.dst) for edge in edges)
        return said, tuple(Edge(kind, end.node.id, dst, confidence=Confidence.INFERRED) for kind, dst in known)


def _name(node: Node, attribute: str) -> str:
    value = node.attributes.get(attribute)
    return value if isinstance(value, str) else ""


def _remove(table: dict[str, dict[str, _End]] | dict[str, dict[str, _Far]], name: str, node_id: str) -> None:
    known = table.get(name)
    if known is not None:
        known.pop(node_id, None)
        if not known:
            del table[name]


def _all_known(others: list[_Far]) -> bool:
    """Whether everybody who has the other end open is one of these processes."""
    pids = {str(one.of.pid) for one in others}
    for one in others:
        also = one.node.attributes.get(semconv.IO_ALSO_OPEN)
        if isinstance(also, str) and not pids.issuperset(also.split(", ")):
            return False
    return True


def _is_quiet(end: _End, others: list[_Far]) -> bool:
    """Whether nothing is on its way to who waits. Of one that waits to write: whether what it wrote does not move."""
    about = end.node.attributes
    if semconv.IO_UNMOVED_SINCE in about:
        return True
    flying = [one.node.attributes.get(semconv.IO_IN_FLIGHT) for one in others]
    return about.get(semconv.IO_UNREAD) == 0 and all(count == 0 for count in flying)


def _is_ours(far: Node) -> bool:
    """Whether the heap was asked, and nobody has it but tasks and threads of ours, and functions that nobody who is
    known calls."""
    about = far.attributes
    return semconv.COULD_END_ASKED in about and semconv.COULD_END_OUTSIDE not in about
