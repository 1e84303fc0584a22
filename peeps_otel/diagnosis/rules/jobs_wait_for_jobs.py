# SPDX-License-Identifier: Apache-2.0
"""Whoever does jobs of a queue waits for the result of another job, and nobody is left to do that."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import FindingKind, Level, Node, NodeKind, own_line
from .. import evidence, wording
from ..closure import closure
from ..frames import place
from ..wait_index import WaitIndex
from .context import RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import seconds
from .workers_alike import workers_like

_RESULT = "job.result"
_MAIN = "MainThread"
_MEMBERS_MOST = 20
_BEGINS_BY = 2  # functions


class JobsWaitForJobs(LookRule):
    """By the stacks: its own code was called by the very library of which it wants a result. What is in the queue is
    not seen, nor whether workers elsewhere take from it: never more than suspected."""

    name = "jobs_wait_for_jobs"
    kind = FindingKind.DEADLOCK
    levels = (Level.SUSPECT, Level.SLOW)
    when = (
        "A worker of a queue of jobs (arq, Celery, Dramatiq, huey) has waited within a job for {slow} for the result "
        "of another job. SUSPECT after {stuck}, where all threads that do such jobs in this process do so, or the jobs "
        "in all of its places, and none gives up within {far}; of a worker that is a process of its own the others are "
        "not known"
    )
    advice = (
        "A job must not wait for another job: start the second one with what follows the first (a chain or a chord, a "
        "pipeline), or give it workers of its own. More workers only put it off"
    )
    explains = True

    stuck = seconds(15, "how long the youngest of these waits must have lasted before it is more than slow")
    slow = seconds(5, "how long it must have lasted before it is worth a word")
    far = seconds(600, "how far off the deadlines must be for that")

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        yield from self._of_threads(context)
        yield from self._of_places(context)

    def _of_places(self, context: RuleContext) -> Iterable[Candidate]:
        """Of a worker that does its jobs in tasks: each of its places is taken by a job that waits for another one of
        the same queue."""
        graph = context.graph
        for places in context.of(NodeKind.SEMAPHORE):
            queue = places.attributes.get(semconv.JOB_PLACES)
            if queue is None or places.attributes.get(semconv.SEMAPHORE_AVAILABLE) != 0:
                continue
            holders = [one for one in graph.holders.get(places.id, ()) if one in graph.nodes]
            asking = [_asks(graph, one, queue) for one in holders]
            members = sorted({one.id for one in asking if one is not None})
            if not members or len(holders) != places.attributes.get(semconv.SEMAPHORE_PERMITS) or None in asking:
                continue
            since_ns = max(graph.wait_of(one).since_ns for one in members)
            if context.now_ns - since_ns < self.slow or not context.explained.isdisjoint(members):
                continue
            ends = (
                node.wait.deadline_ns for one in (*members, *holders) if (node := graph.nodes[one]).wait is not None
            )
            bounded = any(end is not None and end - context.now_ns < self.far for end in ends)
            stuck = context.now_ns - since_ns >= self.stuck and not bounded
            group = {*members, *holders}
            yield Candidate(
                kind=self.kind,
                level=Level.SUSPECT if stuck else Level.SLOW,
                since_ns=since_ns,
                core=members[:_MEMBERS_MOST],
                about=members,
                tell=lambda members=members: self._tell(context, members),
                explains=group | context.newly_behind(group),
            )

    def _of_threads(self, context: RuleContext) -> Iterable[Candidate]:
        graph = context.graph
        waiting = {
            node.id: node.wait
            for node in context.of(NodeKind.THREAD)
            if node.wait is not None and node.wait.operation == _RESULT and _is_in_job(node)
        }
        told: set[str] = set(context.explained)
        for one in waiting:
            if one in told:
                continue
            node = graph.nodes[one]
            group = _workers(context, node)
            told |= group
            if not group <= waiting.keys():
                continue
            since_ns = max(waiting[other].since_ns for other in group)
            if context.now_ns - since_ns < self.slow:
                continue
            members = sorted(group, key=lambda one: (graph.nodes[one].name, one))
            ends = [deadline for other in group if (deadline := waiting[other].deadline_ns) is not None]
            bounded = any(end - context.now_ns < self.far for end in ends)
            others_known = semconv.THREAD_PROCESS not in node.attributes
            stuck = context.now_ns - since_ns >= self.stuck and not bounded and others_known
            yield Candidate(
                kind=self.kind,
                level=Level.SUSPECT if stuck else Level.SLOW,
                since_ns=since_ns,
                core=members[:_MEMBERS_MOST],
                about=sorted(group),
                tell=lambda members=members: self._tell(context, members),
                explains=group,
            )

    def _tell(self, context: RuleContext, members: list[str]) -> Account:
        graph = context.graph
        first = graph.nodes[members[0]]
        count, where = len(members), place(first)
        who = wording.label(first) if count == 1 else f"each of {count} workers, as {wording.label(first)},"
        by = "a worker like it" if count == 1 else "one of them"
        return Account(
            title=f"{who} does a job and waits{wording.at('at', where)} for the result of another, which {by} must do",
            advice=f"{self.advice}.",
            look_at=where,
            blocked=evidence.tail(graph, graph.behind(set(members)) - set(members)),
        )


def _asks(graph: WaitIndex, job: str, queue: object) -> Node | None:
    """Who waits, in the job that this task does, for the result of another job of the same queue."""

    def leads_to(node: str) -> Iterable[str]:
        return graph.targets.get(node, ())

    found = (node for one in sorted(closure([job], leads_to)) if (node := graph.nodes.get(one)) is not None)
    return next(
        (
            node
            for node in found
            if node.wait is not None
            and node.wait.operation == _RESULT
            and node.attributes.get(semconv.TASK_JOB_FROM) == queue
        ),
        None,
    )


def _workers(context: RuleContext, thread: Node) -> set[str]:
    """Those of its pool; else those whose functions of the library begin as its do: other threads of that begin at the
    same line too."""
    pools = (context.graph.nodes.get(pool) for pool in context.graph.held_of(thread.id))
    if thread.name == _MAIN or any(pool is not None and pool.kind is NodeKind.EXECUTOR for pool in pools):
        return workers_like(context, thread)
    begins = _calls_jobs_by(thread)
    alike = (one for one in context.of(NodeKind.THREAD) if _begins(one, _asked(thread)) == begins)
    return {thread.id, *(one.id for one in alike)}


def _is_in_job(thread: Node) -> bool:
    """Whether the innermost code of the program was called, some way out, by the library that it has called."""
    return bool(_calls_jobs_by(thread))


def _calls_jobs_by(thread: Node) -> list[str]:
    stack = thread.stack[: _innermost_own(thread)] if _innermost_own(thread) >= 0 else ()
    asked = _asked(thread)
    return [frame.function for frame in stack if frame.library == asked][:_BEGINS_BY] if asked else []


def _begins(thread: Node, library: str) -> list[str]:
    return [frame.function for frame in thread.stack if frame.library == library][:_BEGINS_BY]


def _innermost_own(thread: Node) -> int:
    return max((number for number, frame in enumerate(thread.stack) if not frame.library), default=-1)


def _asked(thread: Node) -> str:
    """The library whose function the innermost code of the program has called."""
    inward = (frame.library for frame in thread.stack[_innermost_own(thread) + 1 :])
    return next((one for one in inward if one and one != own_line.PYTHON), "")
