# SPDX-License-Identifier: Apache-2.0
"""Calls that are in flight for too long: who sent them, and what their handlers do instead."""

from __future__ import annotations

from collections.abc import Iterable, Set
from itertools import chain, pairwise
from typing import NamedTuple

from ... import semconv
from ...model import FindingKind, Level, Node, NodeKind, own_line
from ...model.operations import operation
from .. import evidence, leaf, wording
from ..frames import place
from ..leaf import Leaf
from ..open_calls import is_remote_procedure, stays_open, stream_connections
from .context import RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import seconds

_UNSEEN = {
    "not_received": "which nobody who reports has received",
    "peer_not_attached": "whose receiver does not report",
    "finished_on_one_side": "whose handler is done, and the answer has not come",
}
"""By what is known of the other end, which only a collector knows."""


_SENDERS_MOST = 4


class _Other(NamedTuple):
    """The other end of a call. `way`: what its handler is in; `words`: what is said of it where that is not seen."""

    handler: str | None
    way: Leaf | None
    words: str


class CallUnanswered(LookRule):
    """A task or thread waits for the answer of a call, no deadline ends that, and at the other end nothing is seen to
    go on: the handler sleeps, is in a call that blocks, or is not seen at all.

    Calls that stay open on purpose are left out, and those whose handler waits for something of the program: if that is
    stuck, it has a finding of its own.
    """

    name = "call_unanswered"
    kind = FindingKind.CALL_UNANSWERED
    levels = (Level.SUSPECT, Level.SLOW)
    when = (
        "Somebody waits without a deadline for the answer of a call, longer than is usual at that line, for {asleep} "
        "while its handler only sleeps, for {unseen} where the handler blocks or is not seen. SUSPECT after {stuck}, "
        "if the handler sleeps on for {far} or more; where it is not seen, of HTTP and RPC after {lost}"
    )
    advice = "Give the call a deadline, and look at what its handler does"
    explains = True

    asleep = seconds(10, "the least age of a call whose handler sleeps")
    unseen = seconds(30, "the least age of one whose handler blocks in a call, or is not seen")
    stuck = seconds(30, "the age from which on one whose handler sleeps is more than slow")
    far = seconds(600, "and how long the handler must go on sleeping for that")
    lost = seconds(900, "the age from which on one whose handler is not seen is more than slow")

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        graph = context.graph
        streams: Set[object] | None = None
        for request in context.of(NodeKind.REQUEST):
            waiter = graph.oldest_waiter(request.id)
            if waiter is None or waiter not in graph.settled or waiter in graph.bounded:
                continue
            if not context.is_long(waiter, min(self.asleep, self.unseen)) or _is_explained(context, request, waiter):
                continue
            other = _other_end(context, request)
            level = None if other is None else self._level(context, request, waiter, other)
            if other is None or level is None:
                continue
            if streams is None:
                streams = stream_connections(chain(context.of(NodeKind.TX), context.of(NodeKind.RX)))
            if stays_open(request, graph.nodes[waiter], streams):
                continue
            senders = _senders(context, waiter)
            members = [*senders, request.id, *([] if other.handler is None else [other.handler])]
            yield Candidate(
                kind=self.kind,
                level=level,
                since_ns=graph.wait_of(waiter).since_ns,
                core=members,
                about=[request.id],
                tell=lambda r=request, s=senders, o=other: self._tell(context, r, s, o),
                explains=context.newly_behind({request.id, waiter}),
            )

    def _level(self, context: RuleContext, request: Node, waiter: str, other: _Other) -> Level | None:
        age_ns = context.now_ns - context.graph.wait_of(waiter).since_ns
        if other.way is not None:
            wait = context.graph.wait_of(other.way.node)
            age_ns = min(age_ns, context.now_ns - wait.since_ns)
        ends_ns = None if other.way is None else _wakes_at(context, other.way)
        if ends_ns is not None:
            left_ns = ends_ns - context.now_ns
            if age_ns < self.asleep or left_ns < self.asleep:
                return None
            return Level.SUSPECT if age_ns >= self.stuck and left_ns >= self.far else Level.SLOW
        if age_ns < self.unseen:
            return None
        lost = other.handler is None and is_remote_procedure(request) and age_ns >= self.lost
        return Level.SUSPECT if lost else Level.SLOW

    def _tell(self, context: RuleContext, request: Node, senders: list[str], other: _Other) -> Account:
        graph, waiter = context.graph, senders[-1]
        title = f"{wording.label(graph.nodes[senders[0]])} {wording.waits_for(graph, waiter, request.id)}"
        links = [evidence.link(graph, one, inner, inner) for one, inner in pairwise(senders)]
        links.append(evidence.link(graph, waiter, request.id, other.handler))
        look_at = place(graph.nodes[senders[0]])
        if other.handler is not None and other.way is not None:
            handler = wording.label(graph.nodes[other.handler])
            title += f", whose handler {handler} {leaf.clause(graph, other.way)}"
            links += leaf.links(graph, other.way)
            look_at = leaf.look_at(graph, other.way)
        else:
            title += f", {other.words}"
        return Account(
            title=title,
            advice=f"{self.advice}.",
            look_at=look_at,
            evidence=links,
            blocked=evidence.tail(graph, graph.behind({request.id, waiter})),
        )


def _is_explained(context: RuleContext, request: Node, waiter: str) -> bool:
    return request.id in context.explained or waiter in context.explained


def _senders(context: RuleContext, waiter: str) -> list[str]:
    """Who waits for the answer, the last one for the request itself: a library may have made a task for the call."""
    graph, found = context.graph, [waiter]
    while len(found) < _SENDERS_MOST and not own_line.is_line(place(graph.nodes[found[0]])):
        behind = [one for one in graph.waiters.get(found[0], ()) if one in graph.settled and one not in found]
        if len(behind) != 1:
            break
        found.insert(0, behind[0])
    return found


def _other_end(context: RuleContext, request: Node) -> _Other | None:
    """None where it goes on, as far as is known, or where what it waits for is told of by itself."""
    graph = context.graph
    responses = [one for one in graph.answers.get(request.id, ()) if one in graph.nodes]
    if not responses:
        words = _UNSEEN.get(str(request.attributes.get(semconv.RPC_JOIN, "")))
        if words is not None and semconv.SERVER_ADDRESS not in request.attributes:
            words = _UNSEEN["not_received"]  # nor is it known where it went
        return None if words is None else _Other(None, None, words)
    handlers = [one for response in responses for one in graph.answers.get(response, ()) if one in graph.nodes]
    if len(handlers) != 1 or handlers[0] in context.explained:
        return None
    way = leaf.leaf_of(graph, handlers[0])
    if way is None or way.node in context.explained:
        return None
    still = _wakes_at(context, way) is not None or _is_outside(context, way)
    return _Other(handlers[0], way, "") if still else None


def _wakes_at(context: RuleContext, way: Leaf) -> int | None:
    """When the handler has slept enough; None where it does not sleep, or a deadline on the way comes before that."""
    graph = context.graph
    if any(step.waiter in graph.bounded for step in way.steps):
        return None
    wait = graph.nodes[way.node].wait
    return wait.deadline_ns if wait is not None and operation(wait.operation).sleeps else None


def _is_outside(context: RuleContext, way: Leaf) -> bool:
    """Whether it is in something that others end, and not the program: a socket, a file, a call of C. Requests that it
    waits for are told of by themselves."""
    graph, node = context.graph, context.graph.nodes[way.node]
    if node.wait is None or way.moves(graph):
        return False
    targets = [graph.nodes[one] for one in graph.targets.get(way.node, ()) if one in graph.nodes]
    if not targets:
        return node.state == "blocked"
    return all(one.kind is NodeKind.IO for one in targets)
