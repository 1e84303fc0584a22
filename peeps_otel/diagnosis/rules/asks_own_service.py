# SPDX-License-Identifier: Apache-2.0
"""Whoever serves at an address of its process waits for an answer from there, and nobody is left to give it."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import FindingKind, Level
from .. import evidence, wording
from ..frames import place
from .context import RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import seconds
from .workers_alike import workers_like

_MEMBERS_MOST = 20


class AsksOwnService(LookRule):
    """By the sockets: needs no spans. Those who do the same are the workers of one pool, or the threads that begin at
    one line: as long as one of them does something else, it may answer."""

    name = "asks_own_service"
    kind = FindingKind.DEADLOCK
    levels = (Level.SUSPECT, Level.SLOW)
    when = (
        "A thread has had a request in hand and waited for {slow} for an answer of the very service that has got this "
        "request, and so have all other workers of its pool, or threads that began at its line. SUSPECT after {stuck}, "
        "where it gives up by no deadline"
    )
    advice = (
        "A handler must not call its own server and wait: call the function itself, or give such calls workers of "
        "their own. More workers only put it off"
    )
    marks = frozenset({semconv.THREAD_OWN_SERVICE})
    explains = True

    stuck = seconds(15, "how long the youngest of these waits must have lasted before it is more than slow")
    slow = seconds(5, "how long it must have lasted before it is worth a word")

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        graph = context.graph
        asking = {node.id: node for node in context.bearing(semconv.THREAD_OWN_SERVICE)}
        asking = {one: node for one, node in asking.items() if one in graph.settled}
        told: set[str] = set(context.explained)
        for node in asking.values():
            if node.id in told:
                continue
            group = workers_like(context, node)
            told |= group
            if not group <= asking.keys():
                continue
            since_ns = max(graph.wait_of(one).since_ns for one in group)
            if context.now_ns - since_ns < self.slow:
                continue
            members = sorted(group, key=lambda one: (graph.nodes[one].name, one))
            bounded = any(graph.wait_of(one).deadline_ns is not None for one in group)
            stuck = context.now_ns - since_ns >= self.stuck and not bounded
            things = [thing for one in members for thing in graph.targets.get(one, ())]
            yield Candidate(
                kind=self.kind,
                level=Level.SUSPECT if stuck else Level.SLOW,
                since_ns=since_ns,
                core=list(dict.fromkeys([*members[:_MEMBERS_MOST], *things[:_MEMBERS_MOST]])),
                about=sorted(group),
                tell=lambda members=members: self._tell(context, members),
                explains=[*group, *things],
            )

    def _tell(self, context: RuleContext, members: list[str]) -> Account:
        graph = context.graph
        first = graph.nodes[members[0]]
        address = first.attributes[semconv.THREAD_OWN_SERVICE]
        where = place(first)
        count = len(members)
        who = wording.label(first) if count == 1 else f"each of {count} threads, as {wording.label(first)},"
        able = "it cannot" if count == 1 else "none of them can"
        title = f"{who} serves a request to {address} and waits{wording.at('at', where)} for an answer from there, "
        title += f"which {able} give meanwhile"
        target = next(iter(graph.targets.get(first.id, ())), None)
        return Account(
            title=title,
            advice=f"{self.advice}.",
            look_at=where,
            evidence=[] if target is None else [evidence.link(graph, first.id, target, None)],
            blocked=evidence.tail(graph, graph.behind(set(members)) - set(members)),
        )
