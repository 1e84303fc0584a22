# SPDX-License-Identifier: Apache-2.0
"""Waits for something that nobody is left to end: the roots of a residue that depend on nothing."""

from __future__ import annotations

from collections.abc import Mapping

from .. import semconv
from ..model import Finding, FindingKind, Level, NodeKind, finding_id
from . import evidence, wording
from .reduction import Requirement, behind
from .wait_graph import BOUNDED, WAITERS, WaitGraph

_GONE = "Whoever should have ended it is gone or has lost it. Only cancelling the task ends this wait."
_NOBODY = {
    Level.PROVEN: "nobody is left who could end that wait",
    Level.LIKELY: "nobody is left who could end that wait",
    Level.SUSPECT: "nobody who runs seems to be about to end that wait",
}
_NAMED_MOST = 3


def find(
    graph: WaitGraph, conditions: Mapping[str, Requirement], stuck: set[str], level: Level, known: set[str]
) -> list[Finding]:
    """One finding per thing of a closed set of providers that has none, or of which the heap says so.

    At SUSPECT the conditions also take what is merely old for such a thing: only those of which the heap was asked are
    told then. Locks, semaphores and full channels of which the heap was asked are left to `starvation`.
    """
    findings: list[Finding] = []
    for root in sorted(stuck):
        node = graph.nodes[root]
        if node.kind in WAITERS or node.kind is NodeKind.TX or conditions[root].providers or root in known:
            continue
        by_heap = bool(graph.asked_of_heap([root]))
        if node.kind in BOUNDED if by_heap else level is Level.SUSPECT:
            continue
        waiter = graph.oldest_waiter(root)
        if waiter is None or waiter not in stuck:
            continue
        blocked = evidence.tail(graph, behind({root}, stuck, conditions) - {waiter})
        wait = graph.wait_of(waiter)
        link = evidence.link(graph, waiter, root, None)
        findings.append(
            Finding(
                id=finding_id(FindingKind.NEVER_ENDS, [root]),
                kind=FindingKind.NEVER_ENDS,
                level=level,
                title=f"{wording.label(graph.nodes[waiter])} {wording.waits_for(graph, waiter, root)}, "
                f"but {_nobody(graph, root, level)}",
                since_ns=wait.since_ns,
                core=[waiter, root],
                blocked=blocked,
                evidence=[link],
                advice=_advice(graph, root) if by_heap else _GONE,
                blocked_sites=evidence.sites(graph, blocked),
                look_at=wait.source,
            )
        )
    return findings


def _nobody(graph: WaitGraph, root: str, level: Level) -> str:
    """Who is not there to end the wait; those who could, but wait for the same thing, by name."""
    waiting = set(graph.waiters.get(root, ()))
    able = [one for one in graph.enders.get(root, ()) if one in waiting and one in graph.nodes]
    if len(able) < 2:  # one alone could only do it after its own wait
        return _NOBODY[level]
    names = wording.several([wording.label(graph.nodes[one]) for one in able], _NAMED_MOST)
    return f"only {names} could {wording.ends(graph.nodes[root])}, and they all wait for it too"


def _advice(graph: WaitGraph, root: str) -> str:
    """What the heap said of those who have it, and of code that could end the wait if it were called."""
    node = graph.nodes[root]
    ends, waiting = wording.ends(node), graph.waiters.get(root, ())
    open_to = node.attributes.get(semconv.COULD_END_OPEN)
    have = [wording.label(graph.nodes[one]) for one in graph.reached.get(root, ()) if one in graph.nodes]
    others = ""
    if have:
        verb = "has" if len(have) == 1 else "have"
        others = (
            f" {wording.several(have, _NAMED_MOST)} {verb} it too, but nothing in the code still to run would {ends}."
        )
    if isinstance(open_to, str):
        return f"{open_to}, which could end it, but nobody who runs is about to call that.{others}"
    if sum(one in waiting for one in graph.enders.get(root, ())) > 1:
        return (
            f"Give back what was taken before taking more of the same, or put an end to that wait by a timeout.{others}"
        )
    return f"Whoever should {ends} is gone, or has lost it.{others} Only cancelling the waiter ends this wait."
