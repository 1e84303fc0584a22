# SPDX-License-Identifier: Apache-2.0
"""Pools that are exhausted by those who wait for them."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import EvidenceStep, FindingKind, Level, Node, NodeKind, Providers
from .. import evidence, pools, wording
from ..reduction import cores, shortest_cycle
from ..wait_links import BOUNDED, WAITERS
from .context import Residue, RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import seconds
from .without_deadlines import stuck_without_deadlines

_MEMBERS_MOST = 20


class _Rings:
    """The rings that pools are a part of, were there no deadlines: worked out once a look, for several may lead to the
    same. `by_pool`: the members of each."""

    def __init__(self, context: RuleContext) -> None:
        graph = context.graph
        self.stuck = stuck_without_deadlines(context, pools.holders_of_all(context))
        self.by_pool = {
            one: core
            for core in cores(self.stuck.stuck, self.stuck.conditions)
            for one in core
            if semconv.POOL_IN_USE in graph.nodes[one].attributes
        }


class PoolWaitsForItself(LookRule):
    """Everybody who has something of a pool waits for more of it, himself or through others: none can give any back.

    A deadline (most pools have one of 5 to 30 s) breaks it with an error, and then it begins anew: so it does not
    matter here. Never PROVEN: a pool may be made larger, or closed, by anybody.
    """

    name = "pool_waits_for_itself"
    kind = FindingKind.POOL_EXHAUSTED
    levels = (Level.LIKELY,)
    when = (
        "Everything that a pool has is held, every holder is known, and each of them waits for the same pool, since "
        "{waited}, directly or through what it waits for; a deadline that will break it is told, and changes nothing"
    )
    advice = (
        "Take one connection per request and hand it down, or give the connection back before asking for another; a "
        "larger pool only puts it off"
    )
    explains = True
    first = True

    waited = seconds(2, "a shorter wait is not told")

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        graph = context.graph
        rings: _Rings | None = None
        for pool, waiters in pools.exhausted(context):
            holders = graph.holders.get(pool.id, ())
            known = pool.providers is not Providers.OPEN and bool(holders)
            if not known or context.now_ns - graph.wait_of(waiters[0]).since_ns < self.waited:
                continue
            if any(graph.since_of(holder) is None for holder in holders):
                continue
            if rings is None:
                rings = _Rings(context)
            stuck, core = rings.stuck, rings.by_pool.get(pool.id)
            if core is None or any(graph.nodes[one].kind in BOUNDED for one in core if one != pool.id):
                continue  # a ring through other things too is told as such
            have = frozenset(holders)
            members = sorted(
                (one for one in core if graph.nodes[one].kind in WAITERS),
                key=lambda one, have=have: (one not in have, graph.since_of(one) or 0, one),
            )
            yield Candidate(
                kind=self.kind,
                level=self.level,
                since_ns=max(graph.since_of(one) or 0 for one in members),
                core=[*members[:_MEMBERS_MOST], pool.id],
                about=[pool.id],
                tell=lambda p=pool, s=stuck, c=core, m=members: self._tell(context, p, s, c, m),
                explains=[*core, *graph.waiting(context.newly_behind({pool.id}))],
            )

    def _tell(self, context: RuleContext, pool: Node, stuck: Residue, core: list[str], members: list[str]) -> Account:
        graph = context.graph
        have = frozenset(graph.holders[pool.id])
        holders = [one for one in members if one in have]
        first = holders[0]
        return Account(
            title=f"{pools.taken(graph, pool)}; {_who(context, pool, holders)}",
            advice=f"{pools.OF_A_CLOSE if pools.is_closing(graph, pool.id) else self.advice}.",
            look_at=graph.wait_of(first).source,
            evidence=[step for one in members[:_MEMBERS_MOST] for step in _steps(context, pool, core, one)],
            blocked=evidence.tail(graph, graph.waiting(graph.behind({pool.id}) - set(core))),
            cycle=shortest_cycle([pool.id, *sorted(core)], stuck.conditions),
        )


def _who(context: RuleContext, pool: Node, holders: list[str]) -> str:
    """`report has one, taken at x.py:12, and waits for another`; of several: who they are."""
    graph, first = context.graph, holders[0]
    direct = pool.id in graph.targets.get(first, ())
    if len(holders) > 1:
        names = wording.several([wording.label(graph.nodes[one]) for one in holders])
        places = {"" if (held := graph.held_by(pool.id, one)) is None else held.source or "" for one in holders}
        has = "have one each" if len(holders) == pool.attributes.get(semconv.POOL_IN_USE) else "have them"
        if len(places) == 1 and (where := wording.at("taken at", places.pop())):
            has += f",{where},"
        return f"{names} {has} and " + ("wait for another" if direct else "wait for what waits for another")
    has = pools.has_one(graph, pool.id, first)
    comma = "," if "," in has else ""
    what = "the close" if pools.is_closing(graph, pool.id) else "another"
    does = f"waits for {what}" if direct else f"{wording.doing(graph, first)}, which comes to waiting for {what}"
    return f"{has}{comma} and {does}"


def _steps(context: RuleContext, pool: Node, core: list[str], member: str) -> Iterable[EvidenceStep]:
    graph, inside = context.graph, set(core)
    for target in graph.targets.get(member, ()):
        if target in inside:
            holder = next((one for one in graph.holders.get(target, ()) if one in inside), None)
            if target == pool.id and member in graph.holders[pool.id]:
                holder = member
            yield evidence.link(
                graph, member, target, holder if graph.nodes[target].kind is not NodeKind.TASK else None
            )
