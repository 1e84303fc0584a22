# SPDX-License-Identifier: Apache-2.0
"""Pools that have nothing left while somebody waits."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from ... import semconv
from ...model import FindingKind, Level, Node
from .. import evidence, leaf, pools, wording
from ..reduction import residue
from ..wait_index import WaitIndex
from ..wait_links import WAITERS
from .context import RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import seconds

_HOLDERS_MOST = 20
_OF_LOST = (
    "What was dropped without being read or closed keeps its connection for good, and so may a request that is "
    "cancelled just when it gets one: close responses by a `with` block, and set a timeout for the pool."
)


class _Waits(NamedTuple):
    since_ns: int
    deadline_ns: int | None


@dataclass(slots=True)
class _Seen:
    """A pool at the last look. `state`: changes whenever a holder does anything. `waiters`: by id."""

    state: Hashable
    since_ns: int
    waiters: dict[str, _Waits] = field(default_factory=dict[str, _Waits])


class _Stuck:
    """Which holders of any pool nobody of this program seems about to wake: worked out once a look, and only if one
    asks, for all may lead to the same."""

    def __init__(self, context: RuleContext) -> None:
        self._context = context
        self._stuck: set[str] | None = None

    def holds_all(self, holders: list[str]) -> bool:
        """Of all of these; also if nobody is seen to hold anything."""
        if holders and self._stuck is None:
            graph, now_ns = self._context.graph, self._context.now_ns
            within = graph.ahead(pools.holders_of_all(self._context))
            self._stuck = residue(graph.conditions(Level.SUSPECT, now_ns, self._context.shared.waited, within))
        return not holders or (self._stuck is not None and self._stuck.issuperset(holders))


class PoolExhausted(LookRule):
    """SLOW while a holder still does something or somebody gets a connection; SUSPECT when neither has happened for
    long. Sooner where nobody is seen with what is lent: it may have been forgotten. LIKELY where all is lost by the
    library's own books."""

    name = "pool_exhausted"
    kind = FindingKind.POOL_EXHAUSTED
    levels = (Level.LIKELY, Level.SUSPECT, Level.SLOW)
    when = (
        "Everything that a pool has is held, and somebody has waited for it for long: SLOW. SUSPECT when for {still} "
        "no holder has gone on and nobody has got anything, or for {unseen} where no function that runs is seen with "
        "anything of it or nobody seems about to wake a holder. LIKELY when, since {lost}, the library itself has lost "
        "all that is taken"
    )
    advice = (
        "Open where the longest holder took it: give it back before the slow part, in a `with` block or a `finally`"
    )
    explains = True

    still = seconds(30, "how long nothing must have moved at a pool")
    unseen = seconds(10, "the same where nobody is seen with what it has lent, or nobody seems about to wake a holder")
    lost = seconds(2, "how long all of a pool must have been lost")

    def __init__(self, values: dict[str, int] | None = None) -> None:
        super().__init__(values)
        self._seen: dict[str, _Seen] = {}

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        graph = context.graph
        seen: dict[str, _Seen] = {}
        stuck = _Stuck(context)
        for pool, waiters in pools.exhausted(context):
            known = seen[pool.id] = self._look(context, pool, waiters)
            if not context.is_long(waiters[0]):
                continue
            holders = sorted(
                (one for one in graph.holders.get(pool.id, ()) if one in graph.nodes),
                key=lambda one: _held_since(graph, pool.id, one),
            )
            level = self._level(stuck, pool, holders, context.now_ns - known.since_ns)
            yield Candidate(
                kind=self.kind,
                level=level,
                since_ns=graph.wait_of(waiters[0]).since_ns,
                core=[waiters[0], pool.id, *holders[:_HOLDERS_MOST]],
                about=[pool.id],
                tell=lambda p=pool, w=waiters, h=holders: self._tell(context, p, w, h),
                explains=() if level is Level.SLOW else waiters,
            )
        self._seen = seen

    def _level(self, stuck: _Stuck, pool: Node, holders: list[str], still_ns: int) -> Level:
        if _all_lost(pool) and not holders:
            return Level.LIKELY if still_ns >= self.lost else Level.SLOW
        sooner = still_ns >= self.unseen and stuck.holds_all(holders)
        return Level.SUSPECT if sooner or still_ns >= self.still else Level.SLOW

    def _look(self, context: RuleContext, pool: Node, waiters: list[str]) -> _Seen:
        graph = context.graph
        waits = {one: _Waits(graph.wait_of(one).since_ns, graph.wait_of(one).deadline_ns) for one in waiters}
        state = (
            pool.attributes.get(semconv.POOL_IN_USE),
            pool.attributes.get(semconv.POOL_LOST),
            frozenset(_doing(graph, one) for one in graph.holders.get(pool.id, ())),
        )
        before = self._seen.get(pool.id)
        since_ns = context.now_ns
        if before is not None and before.state == state:
            runs = any(_runs(graph, one) for one in graph.holders.get(pool.id, ()))
            if not runs and not _somebody_got_one(before.waiters, waits, context.now_ns):
                since_ns = before.since_ns
        return _Seen(state, since_ns, waits)

    def _tell(self, context: RuleContext, pool: Node, waiters: list[str], holders: list[str]) -> Account:
        graph, first = context.graph, waiters[0]
        names = wording.several([wording.label(graph.nodes[one]) for one in waiters])
        wait = "waits for" if len(waiters) == 1 else "wait for"
        wait += " that" if pools.is_closing(graph, pool.id) else " one"
        if holders:
            has = pools.has_one(graph, pool.id, holders[0])
            comma = "," if "," in has else ""
            way = leaf.leaf_of(graph, holders[0])
            doing = wording.doing(graph, holders[0]) if way is None else leaf.clause(graph, way)
            title = f"{pools.taken(graph, pool)}; {has}{comma} and {doing}; {names} {wait}"
        elif _all_lost(pool):
            title = f"{pools.taken(graph, pool)}, but lost: who asked for that has gone; {names} {wait}"
        else:
            title = f"{pools.taken(graph, pool)}; no function is seen with one; {names} {wait}"
        held = graph.held_by(pool.id, holders[0]) if holders else None
        return Account(
            title=title,
            advice=_OF_LOST if _all_lost(pool) and not holders else self._advice(graph, pool),
            look_at=(None if held is None else held.source) or graph.wait_of(first).source,
            evidence=[evidence.link(graph, first, pool.id, one) for one in holders[:_HOLDERS_MOST] or [None]],
            blocked=evidence.tail(graph, graph.waiting(graph.behind({pool.id}))),
        )

    def _advice(self, graph: WaitIndex, pool: Node) -> str:
        return f"{pools.OF_A_CLOSE if pools.is_closing(graph, pool.id) else self.advice}."


def _all_lost(pool: Node) -> bool:
    lost = pool.attributes.get(semconv.POOL_LOST)
    return lost is not None and lost == pool.attributes.get(semconv.POOL_IN_USE)


def _held_since(graph: WaitIndex, pool: str, holder: str) -> tuple[int, str]:
    held = graph.held_by(pool, holder)
    return (1 << 63 if held is None or held.since_ns is None else held.since_ns), holder


def _doing(graph: WaitIndex, holder: str) -> Hashable:
    """What changes when a holder goes on."""
    node = graph.nodes.get(holder)
    if node is None:
        return holder
    return holder, node.steps, graph.since_of(holder), node.attributes.get(semconv.THREAD_CPU_TIME)


def _runs(graph: WaitIndex, holder: str) -> bool:
    node = graph.nodes.get(holder)
    return node is not None and node.kind in WAITERS and node.state in ("running", "runnable", "gil")


def _somebody_got_one(before: dict[str, _Waits], now: dict[str, _Waits], now_ns: int) -> bool:
    """Whether somebody has ended a wait for the pool without having given up."""
    in_time = {w: one.since_ns for w, one in before.items() if one.deadline_ns is None or one.deadline_ns > now_ns}
    return any(waiter not in now or now[waiter].since_ns != since_ns for waiter, since_ns in in_time.items())
