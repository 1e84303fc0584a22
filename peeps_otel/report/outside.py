# SPDX-License-Identifier: Apache-2.0
"""Waits for an answer from outside on which something in the program depends: whether it comes is not known here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set

from .. import semconv
from ..diagnosis.open_calls import stays_open
from ..model import Edge, EdgeKind, Node, NodeKind
from ..model.operations import operation

_BY = frozenset({EdgeKind.HELD_BY, EdgeKind.COULD_END})
_THINGS = frozenset(
    {NodeKind.LOCK, NodeKind.SEMAPHORE, NodeKind.EVENT, NodeKind.CONDITION, NodeKind.BARRIER, NodeKind.FUTURE}
)
KINDS = frozenset({NodeKind.IO, NodeKind.REQUEST})
"""What a wait that `since_ns` has something to say of is for."""


def awaited(waiting: Iterable[Node], nodes: Mapping[str, Node], out: Mapping[str, Sequence[Edge]]) -> Set[str]:
    """Who is to give back, set or complete something that one of these waits for."""
    things = {
        edge.dst
        for node in waiting
        for edge in out.get(node.id, ())
        if edge.kind is EdgeKind.NEEDS and edge.dst in nodes and nodes[edge.dst].kind in _THINGS
    }
    return {edge.dst for thing in things for edge in out.get(thing, ()) if edge.kind in _BY}


def at_both_ends(waiting: Iterable[Node], nodes: Mapping[str, Node], out: Mapping[str, Sequence[Edge]]) -> Set[str]:
    """Who waits at a connection for what comes from its other end, where somebody here waits in just the same way: each
    for the other to begin, unless somebody else has them write."""
    at: dict[str, list[str]] = {}
    there: dict[str, str] = {}
    for node in waiting:
        for edge in out.get(node.id, ()):
            end = nodes.get(edge.dst)
            if edge.kind is not EdgeKind.NEEDS or end is None or end.kind is not NodeKind.IO or _writes(node):
                continue
            here, other = end.attributes.get(semconv.IO_HERE), end.attributes.get(semconv.IO_THERE)
            if type(here) is str and type(other) is str:
                at.setdefault(here, []).append(node.id)
                there[node.id] = other
    return {one for one, other in there.items() if other in at}


def of_itself(waiting: Iterable[Node], nodes: Mapping[str, Node], out: Mapping[str, Sequence[Edge]]) -> Set[str]:
    """Who waits, without being idle, for what comes over a connection whose other end this process has as well."""
    there = {
        (node.id, other)
        for node in waiting
        for edge in out.get(node.id, ())
        if edge.kind is EdgeKind.NEEDS and (end := nodes.get(edge.dst)) is not None and end.kind is NodeKind.IO
        if type(other := end.attributes.get(semconv.IO_THERE)) is str and not _writes(node)
    }
    if not there:
        return frozenset()
    ends = {one.attributes.get(semconv.IO_HERE) for one in nodes.values() if one.kind is NodeKind.IO}
    return {node for node, other in there if other in ends}


def _writes(node: Node) -> bool:
    return node.wait is None or operation(node.wait.operation).writes


def since_ns(
    node: Node, nodes: Mapping[str, Node], out: Mapping[str, Sequence[Edge]], awaited_for: Set[str]
) -> int | None:
    """Since when it has waited, without a deadline, for a call that nobody here is seen to answer, or for a connection,
    where others wait for what it does or at its other end, or where this process has that too (`awaited_for`). None:
    for neither. A client that looks for signals now and then begins to wait anew: the call is as old as it is."""
    if node.wait is None or node.wait.deadline_ns is not None:
        return None
    targets = [nodes.get(edge.dst) for edge in out.get(node.id, ()) if edge.kind is EdgeKind.NEEDS]
    for target in targets:
        if target is None:
            continue
        if target.kind is NodeKind.IO and node.id in awaited_for:
            return node.wait.since_ns
        answered = any(edge.kind is EdgeKind.RPC_LINK for edge in out.get(target.id, ()))
        if target.kind is NodeKind.REQUEST and not answered and not stays_open(target, node, frozenset()):
            return target.created_at
    return None
