# SPDX-License-Identifier: Apache-2.0
"""Waits that only their deadline ends."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import FindingKind, Level, NodeKind, own_line
from ...model.operations import operation
from .. import evidence, ring, wording
from ..frames import site
from ..reduction import cores, shortest_cycle
from ..wait_links import BOUNDED, WAITERS
from .context import Residue, RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import number, seconds
from .without_deadlines import stuck_without_deadlines

_IN_RINGS = WAITERS | {NodeKind.REQUEST}
"""Such a thing cannot run out, but who is waited for, or is to answer, may wait in turn."""


class TimesOut(LookRule):
    """Somebody waits with a deadline for a lock, a permit, room in a channel or a connection. SLOW where nobody who is
    known can end that before; SUSPECT where the last waits at the line ended so. What is polled is left out."""

    name = "times_out"
    kind = FindingKind.TIMES_OUT
    levels = (Level.SUSPECT, Level.SLOW)
    when = (
        "Somebody has waited {long_wait.waited} for a lock, a permit, a connection or room in a channel, and gives up "
        "at a known time: SLOW where no holder could go on before that, also of a ring, be it of tasks alone. "
        "SUSPECT where the last {row} "
        "waits at the same line ended by giving up after {given} or more, but for a lock of Redis or of a file: who "
        "gives up trying for that may leave the work to who has it"
    )
    advice = "Find out why its holder does not go on: the deadline only turns the wait into an error"
    explains = True

    row = number(3, "how many waits in a row must have given up at a line")
    given = seconds(2, "a shorter deadline is taken for a poll")

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        graph = context.graph
        waiting = [one for one in sorted(graph.bounded) if self._counts(context, one)]
        scarce = [one for one in waiting if self._can_run_out(context, graph.targets[one][0])]
        told: set[str] = set()
        for waiter in waiting:
            thing = self._runs_out(context, waiter)
            line = site(graph.nodes[waiter], graph.wait_of(waiter))
            if thing is None or operation(graph.wait_of(waiter).operation).polls:
                continue  # who tries for a lock by its name, and gives up, may leave the work to who has it
            if context.memory.given_up(line) >= self.row and thing not in told:
                told.update((thing, *graph.targets[waiter]))
                yield self._again(context, waiter, thing)
        long = [one for one in waiting if context.is_long(one) and not told.intersection(graph.targets[one])]
        if long:
            stuck = stuck_without_deadlines(context, long)
            yield from self._rings(context, stuck, told)
            are_long = set(long)
            yield from self._others(context, stuck, [one for one in scarce if one in are_long], told)

    def _counts(self, context: RuleContext, waiter: str) -> bool:
        """Whether it waits with a deadline that is no poll, for what can run out, and nothing has told of it yet."""
        graph = context.graph
        if waiter not in graph.settled or waiter in context.explained:
            return False
        node = graph.nodes[waiter]
        if node.wait is None or node.wait.deadline_ns is None:
            return False
        targets = graph.targets.get(waiter, ())
        thing = graph.nodes.get(targets[0]) if len(targets) == 1 else None
        if thing is None or thing.id in context.explained:
            return False  # what it waits for is not known, or a part of a finding
        if node.wait.deadline_ns - node.wait.since_ns < self.given:
            return False
        return thing.kind in _IN_RINGS or self._can_run_out(context, thing.id)

    def _runs_out(self, context: RuleContext, waiter: str) -> str | None:
        """What it waits for that can run out; or what the task waits for that it waits for, as `wait_for` makes one for
        what it was given before Python 3.12."""
        graph = context.graph
        thing = graph.targets[waiter][0]
        if graph.nodes[thing].kind is NodeKind.TASK:
            within = graph.targets.get(thing, ()) if thing in graph.settled else ()
            if len(within) != 1 or within[0] not in graph.nodes:
                return None
            thing = within[0]
        return thing if self._can_run_out(context, thing) else None

    @staticmethod
    def _can_run_out(context: RuleContext, thing_id: str) -> bool:
        thing = context.graph.nodes[thing_id]
        return thing.kind in BOUNDED or semconv.POOL_IN_USE in thing.attributes

    def _rings(self, context: RuleContext, stuck: Residue, told: set[str]) -> Iterable[Candidate]:
        graph = context.graph
        for core in cores(stuck.stuck, stuck.conditions):
            ends = [one for one in core if one in graph.bounded]
            if not ends or context.explained.intersection(core) or told.intersection(core):
                continue
            cycle = shortest_cycle(sorted(core, key=lambda one: ring.rank(graph, one)), stuck.conditions)
            if not any(graph.nodes[one].kind in WAITERS for one in cycle):
                continue
            told.update(core)
            yield Candidate(
                kind=self.kind,
                level=Level.SLOW,
                since_ns=max(graph.since_of(one) or 0 for one in core),
                core=sorted(core),
                about=core,
                tell=lambda core=core, cycle=cycle: self._ring(context, core, cycle),
            )

    def _ring(self, context: RuleContext, core: list[str], cycle: list[str]) -> Account:
        graph = context.graph
        links = ring.links(graph, cycle)
        beside = ring.beside(graph, core, cycle)
        bounded = [one for one in core if one in graph.bounded]
        waiting = [one for one in bounded if graph.since_of(one) is not None]
        first = min(waiting, key=lambda one: graph.wait_of(one).deadline_ns or 0, default=bounded[0])
        title = ring.title(graph, links, beside)
        own = [graph.wait_of(first).source] if waiting else []
        sources = [*own, *(step.wait_source for step in links)]
        return Account(
            title=f"{title}; the ring breaks when {wording.label(graph.nodes[first])} gives up",
            advice=ring.advice(graph, links, FindingKind.DEADLOCK),
            look_at=next((one for one in sources if own_line.is_line(one)), sources[0]),
            evidence=links + beside,
            blocked=evidence.tail(graph, graph.waiting(graph.behind(set(core)))),
            cycle=cycle,
        )

    def _others(self, context: RuleContext, stuck: Residue, long: list[str], told: set[str]) -> Iterable[Candidate]:
        """What waits behind a stuck holder. Of a pool that has a finding of its own."""
        graph = context.graph
        for waiter in sorted(long, key=lambda one: (graph.wait_of(one).since_ns, one)):
            thing = graph.targets[waiter][0]
            pool = semconv.POOL_IN_USE in graph.nodes[thing].attributes
            if waiter not in stuck.stuck or thing in told or pool or waiter in told:
                continue
            told.add(thing)
            yield self._candidate(context, Level.SLOW, waiter, thing, "; nothing but its deadline is seen to end that")

    def _again(self, context: RuleContext, waiter: str, thing: str) -> Candidate:
        return self._candidate(context, Level.SUSPECT, waiter, thing, f"; the last {self.row} who waited there gave up")

    def _candidate(self, context: RuleContext, level: Level, waiter: str, thing: str, why: str) -> Candidate:
        graph = context.graph
        holders = [one for one in graph.holders.get(thing, ()) if one in graph.nodes]

        def tell() -> Account:
            names = wording.several([wording.label(graph.nodes[one]) for one in holders])
            held = f", held by {names}" if holders else ""
            return Account(
                title=f"{wording.label(graph.nodes[waiter])} {wording.waits_for(graph, waiter, thing)}{held}{why}",
                advice=f"{self.advice}.",
                look_at=graph.wait_of(waiter).source,
                evidence=[evidence.link(graph, waiter, thing, holders[0] if holders else None)],
                blocked=evidence.tail(graph, graph.waiting(graph.behind({thing}))),
            )

        return Candidate(
            kind=self.kind,
            level=level,
            since_ns=graph.wait_of(waiter).since_ns,
            core=list(dict.fromkeys([waiter, thing, *holders[:3]])),
            about=[thing],
            tell=tell,
        )
