# SPDX-License-Identifier: Apache-2.0
"""Waits for something that nobody is left to end: the roots of a residue that depend on nothing."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import FindingKind, Level, NodeKind
from ...model.operations import operation
from .. import evidence, wording
from ..parked import is_parked
from ..wait_index import WaitIndex
from ..wait_links import BOUNDED, WAITERS
from .context import Residue, RuleContext
from .rule import Account, Candidate, ReductionRule

_GONE = "Whoever should have ended it is gone or has lost it. Only cancelling the task ends this wait."
_NOBODY = {
    Level.PROVEN: "nobody is left who could end that wait",
    Level.LIKELY: "nobody is left who could end that wait",
    Level.SUSPECT: "nobody who runs seems to be about to end that wait",
}
_NAMED_MOST = 3
_MARK = (
    "Call `task_done()` in a `finally` for every item taken: a `continue`, `return` or exception between `get()` and "
    "it leaves it out."
)


class NeverEnds(ReductionRule):
    """One finding per thing of a closed set of providers that has none, or of which the heap says so.

    At SUSPECT the conditions also take what is merely old for such a thing: only those of which the heap was asked are
    told then. Locks, semaphores and full channels of which the heap was asked are left to `Starvation`.
    """

    name = "never_ends"
    kind = FindingKind.NEVER_ENDS
    levels = (Level.PROVEN, Level.LIKELY, Level.SUSPECT)
    when = (
        "Nobody is left who could end a wait: a thing with a closed set of providers that has none, or by the heap. "
        "SUSPECT where the heap says so of code that is still to run, after {long_wait.could_end}. Not of the main "
        "task or thread where it waits for an event or future that was made in that very line: it is to run for ever; "
        "nor of workers without work, for whom nobody waits"
    )
    advice = "Cancel the task; find who lost the other end"
    explains = True

    def find(self, context: RuleContext, residue: Residue) -> Iterable[Candidate]:
        graph = context.graph
        for root in sorted(residue.stuck):
            kind = graph.nodes[root].kind
            if kind in WAITERS or kind is NodeKind.TX or residue.conditions[root].providers:
                continue
            by_heap = bool(graph.asked_of_heap([root]))
            if kind in BOUNDED if by_heap else residue.level is Level.SUSPECT:
                continue
            waiter = None if root in context.explained else graph.oldest_waiter(root)
            if waiter is None or waiter not in residue.stuck:
                continue
            if residue.level is Level.SUSPECT and not context.is_old([waiter, root]):
                continue
            if is_parked(graph, waiter, root):
                continue
            yield Candidate(
                kind=self.kind,
                level=residue.level,
                since_ns=graph.wait_of(waiter).since_ns,
                core=[waiter, root],
                about=[root],
                tell=lambda waiter=waiter, root=root: self._tell(context, residue, waiter, root),
            )

    def roots(self, candidate: Candidate) -> Iterable[str]:
        return candidate.about

    def _tell(self, context: RuleContext, residue: Residue, waiter: str, root: str) -> Account:
        graph = context.graph
        advice = _advice(graph, root) if graph.asked_of_heap([root]) else _GONE
        left = _never_marked(graph, waiter, root)
        takers = _takers(graph, root) if left else []
        title = f"{wording.label(graph.nodes[waiter])} {wording.waits_for(graph, waiter, root)}, "
        title += f"but {left or _nobody(graph, root, residue.level)}"
        if takers:
            names = wording.several((wording.label(graph.nodes[one]) for one in takers), _NAMED_MOST)
            taken_at = wording.at("at", graph.wait_of(takers[0]).source, title)
            title += f"; it is taken from by {names}{taken_at}"
        return Account(
            title=title,
            advice=_MARK if left else advice,
            look_at=graph.wait_of(takers[0] if takers else waiter).source,
            evidence=[evidence.link(graph, one, root, None) for one in (waiter, *takers[:1])],
            blocked=[one for one in residue.tail(graph, (root,)) if one != waiter],
        )


def _never_marked(graph: WaitIndex, waiter: str, root: str) -> str:
    """That all was taken from a queue whose end is waited for, but not all of it was marked done; empty else."""
    attributes = graph.nodes[root].attributes
    unfinished = attributes.get(semconv.CHANNEL_UNFINISHED)
    drains = operation(graph.wait_of(waiter).operation).drains
    if not drains or type(unfinished) is not int or not unfinished or attributes.get(semconv.CHANNEL_LENGTH) != 0:
        return ""
    was = "1 that was taken was" if unfinished == 1 else f"{unfinished} that were taken were"
    return f"{was} never marked done, and nobody who can run would do that"


def _takers(graph: WaitIndex, root: str) -> list[str]:
    """Who waits for the next item: it is their code that did not mark one as done."""
    waiting = [one for one in graph.waiters.get(root, ()) if one in graph.nodes and graph.nodes[one].wait is not None]
    return sorted(
        (one for one in waiting if not operation(graph.wait_of(one).operation).drains),
        key=lambda one: (graph.nodes[one].name, one),
    )


def _nobody(graph: WaitIndex, root: str, level: Level) -> str:
    """Who is not there to end the wait; those who could, but wait for the same thing, by name."""
    return wording.only_waiters(graph, root) or _NOBODY[level]


def _advice(graph: WaitIndex, root: str) -> str:
    """What the heap said of those who have it, and of code that could end the wait if it were called."""
    node = graph.nodes[root]
    ends, waiting = wording.ends(graph, root), graph.waiters.get(root, ())
    open_to = node.attributes.get(semconv.COULD_END_OPEN)
    have = [wording.label(graph.nodes[one]) for one in graph.reached.get(root, ()) if one in graph.nodes]
    others = ""
    if have:
        verb = "has" if len(have) == 1 else "have"
        others = (
            f" {wording.several(have, _NAMED_MOST)} {verb} it too, but nothing in the code still to run would {ends}."
        )
    if isinstance(open_to, str) and " uses " not in open_to:
        return f"{open_to}: run it, or refuse work once it has stopped.{others}"
    if isinstance(open_to, str):
        return f"{open_to}, which could end it, but nobody who runs is about to call that.{others}"
    able = [one for one in dict.fromkeys(graph.enders.get(root, ())) if one in waiting]
    if len(able) > 1:
        pooled = node.kind is NodeKind.RX  # what is taken out of it is put back
        first = (
            "Give back what was taken before taking more of the same" if pooled else f"One of them must {ends} first"
        )
        return f"{first}, or put an end to that wait by a timeout.{others}"
    if able:
        name = wording.label(graph.nodes[able[0]])
        return f"Only code of {name} after this wait would {ends}: leave the wait to another thread or task.{others}"
    return f"Whoever should {ends} is gone, or has lost it.{others} Only cancelling the waiter ends this wait."
