# SPDX-License-Identifier: Apache-2.0
"""Who died on the way: a wait that nobody ends any more begins at the line that raised, not at the first waiter's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .. import semconv
from ..model import Confidence, Edge, EvidenceStep, FindingKind, Node, NodeKind
from ..model.operations import operation
from . import wording
from .rules.rule import Account, Candidate
from .wait_index import WaitIndex
from .wait_links import WAITERS

_TOLD_OF = frozenset(
    {
        FindingKind.NEVER_ENDS,
        FindingKind.LOCK_STARVED,
        FindingKind.SEMAPHORE_STARVED,
        FindingKind.CHANNEL_FULL,
        FindingKind.CHANNEL_NOT_DRAINED,
        FindingKind.NEVER_EXITS,
    }
)
_BROUGHT = frozenset({NodeKind.EVENT, NodeKind.CONDITION, NodeKind.FUTURE, NodeKind.BARRIER})
"""Of a ring through one of these, whoever was to bring what it lacks is the reason; of a ring of locks nobody is."""
_NAMED_MOST = 2
_ADVICE = "Catch what raised there, or pass it on to those who wait."
_USED = {
    NodeKind.LOCK: "took",
    NodeKind.SEMAPHORE: "took",
    NodeKind.TX: "took from",
    NodeKind.RX: "put into",
    NodeKind.EVENT: "was to set",
    NodeKind.CONDITION: "was to notify",
    NodeKind.FUTURE: "was to complete",
    NodeKind.BARRIER: "was to come to",
}


def with_the_dead(graph: WaitIndex, candidate: Candidate, account: Account) -> Account:
    """The same, and who had what is waited for when an exception ended it: in title and evidence, and as the line to
    open where it is known to have used the thing."""
    is_ring = candidate.kind is FindingKind.DEADLOCK
    if not (is_ring or candidate.kind in _TOLD_OF) or not graph.dead:
        return account
    things = [node for one in candidate.core if (node := graph.nodes.get(one)) is not None and node.kind not in WAITERS]
    for thing in things:
        edges = _of(graph, thing)
        if not edges or _is_held(graph, thing):
            continue
        if is_ring and (thing.kind not in _BROUGHT or edges[0].confidence is not Confidence.EXACT):
            continue
        dead = [(graph.nodes[edge.src], edge) for edge in edges]
        title = f"{account.title}; {_told(graph, thing, dead)}"
        steps = {step.text: step for step in (_step(graph, thing, one, edge) for one, edge in reversed(dead))}
        used = dead[0][1].confidence is Confidence.EXACT
        return replace(
            account,
            title=title,
            advice=f"{_ADVICE} {account.advice}" if used else account.advice,
            look_at=dead[0][0].source if used else account.look_at,
            evidence=[*account.evidence, *list(steps.values())[: -1 - _NAMED_MOST : -1]],
        )
    return account


def _of(graph: WaitIndex, thing: Node) -> list[Edge]:
    """Those who used it, the last that died first; where none is known to have, those who had it in their hands."""
    edges = [edge for edge in graph.dead.get(thing.id, ()) if edge.src in graph.nodes]
    used = [edge for edge in edges if edge.confidence is Confidence.EXACT]
    return sorted(used or edges, key=lambda edge: (-(edge.since_ns or 0), edge.src))


def _is_held(graph: WaitIndex, thing: Node) -> bool:
    """Whether somebody who lives has it: then nobody's death is why it is waited for."""
    held = thing.kind in (NodeKind.LOCK, NodeKind.SEMAPHORE)
    return held and any(one in graph.nodes for one in graph.holders.get(thing.id, ()))


def _told(graph: WaitIndex, thing: Node, dead: Sequence[tuple[Node, Edge]]) -> str:
    """`writer, the only one seen that took from it, died of ValueError at pipeline.py:36`."""
    used = dead[0][1].confidence is Confidence.EXACT
    did = _did(graph, thing) if used else "had"
    living = [*graph.users.get(thing.id, ()), *graph.enders.get(thing.id, ())]
    waiting = set(graph.waiters.get(thing.id, ()))
    alone = len(dead) == 1 and used and all(one in waiting for one in living)
    who = "the only one seen that" if alone and thing.kind in (NodeKind.TX, NodeKind.RX) else "which"
    told = [
        f"{wording.label(n)}, {who} {did} it, died of {n.attributes.get(semconv.DIED_OF)}{wording.at('at', n.source)}"
        for n, _ in dead
    ]
    parts = list(dict.fromkeys(told))
    more = f"; and {len(parts) - _NAMED_MOST} more" if len(parts) > _NAMED_MOST else ""
    return f"{'; '.join(parts[:_NAMED_MOST])}{more}"


def _did(graph: WaitIndex, thing: Node) -> str:
    if thing.kind is NodeKind.RX:
        joins = any(
            (wait := graph.nodes[one].wait) is not None and operation(wait.operation).drains
            for one in graph.waiters.get(thing.id, ())
            if one in graph.nodes
        )
        return "took from" if joins else "put into"
    return _USED.get(thing.kind, "had")


def _step(graph: WaitIndex, thing: Node, dead: Node, edge: Edge) -> EvidenceStep:
    message = dead.attributes.get(semconv.DIED_MESSAGE)
    said = f" ({message})" if isinstance(message, str) else ""
    did = _did(graph, thing) if edge.confidence is Confidence.EXACT else "had"
    name, error = wording.label(dead), dead.attributes.get(semconv.DIED_OF)
    text = f"{name}, which {did} {wording.label(thing)}, died of {error}{said}"
    return EvidenceStep(
        waiter=dead.id,
        resource=thing.id,
        holder=None,
        since_ns=edge.since_ns or dead.created_at,
        text=text + wording.at("at", dead.source),
        wait_source=dead.source,
    )
