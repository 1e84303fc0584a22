# SPDX-License-Identifier: Apache-2.0
"""Event loops that are kept from coming round."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import EvidenceStep, Finding, FindingKind, Level, Node, NodeKind, finding_id, own_line
from .. import evidence, wording
from ..frames import own_frame, place
from .context import RuleContext, about

_COMPUTES = frozenset({"running", "gil"})


class LoopBlocked:
    """The thread of a loop has been inside one callback for too long. Names the line, and the task if it is one."""

    kind = FindingKind.LOOP_BLOCKED
    level = Level.SUSPECT
    when = "The thread of an event loop has been in one callback for 0.8 s: in a blocking call, or computing"
    advice = "Await an asynchronous version of the call, or run it with `asyncio.to_thread`"

    def find(self, context: RuleContext) -> Iterable[Finding]:
        for thread in context.of(NodeKind.THREAD):
            since_ns = context.number(thread, semconv.LOOP_STALLED_SINCE)
            if (
                since_ns is None
                or context.now_ns - since_ns < context.thresholds.loop_blocked_ns
                or thread.id in context.explained
            ):
                continue
            yield self._finding(context, thread, since_ns)

    def _finding(self, context: RuleContext, thread: Node, since_ns: int) -> Finding:
        tasks = context.graph.tasks_of(thread.id)
        culprit = next((t for t in tasks if semconv.TASK_STEP_SINCE in context.graph.nodes[t].attributes), None)
        core = [thread.id] if culprit is None else [thread.id, culprit]
        context.explained.update(core)
        where, what = place(thread), _call(thread)
        returns = wording.short(where) if own_line.is_line(where) else "that call"
        does = "computes in" if thread.state in _COMPUTES else "is in a blocking call in"
        by = "" if culprit is None else f", in task {wording.label(context.graph.nodes[culprit])}"
        blocked = evidence.tail(context.graph, (task for task in tasks if task != culprit))
        wait = thread.wait
        text = f"{wording.label(thread)}, which runs the event loop, {does} {what}{by}"
        return Finding(
            id=finding_id(self.kind, [thread.id]),
            kind=self.kind,
            level=self.level,
            title=f"the event loop of {wording.label(thread)} {does} {what}{by}",
            since_ns=since_ns,
            core=core,
            blocked=blocked,
            evidence=[
                EvidenceStep(
                    waiter=culprit or thread.id,
                    resource=thread.id,
                    holder=thread.id,
                    since_ns=since_ns,
                    text=text,
                    wait_source=where,
                    holder_doing="" if wait is None else wording.doing(context.graph, thread.id),
                )
            ],
            advice=f"No task of this loop runs before {returns} returns. {self.advice}.",
            blocked_sites=evidence.sites(context.graph, blocked),
            look_at=where,
        )


def _call(thread: Node) -> str:
    """`work (app.py:7)`; of a thread that is in no own function, `feed (aiohttp)`."""
    frame = own_frame(thread)
    if frame is not None:
        return f"{frame.function} ({wording.short(place(thread))})"
    if thread.stack:
        return f"{thread.stack[-1].function} ({own_line.library_of(thread.stack)})"
    return wording.short(place(thread))


class NeverYields:
    """A task has been in one step for too long, on a loop whose thread is not known."""

    kind = FindingKind.NEVER_YIELDS
    level = Level.SUSPECT
    when = "A task has been in one step for 1 s, and the thread of its loop is not seen"
    advice = "Give the loop a turn (`await asyncio.sleep(0)`), or compute in a thread or process"

    def find(self, context: RuleContext) -> Iterable[Finding]:
        for task in context.marked:
            since_ns = context.number(task, semconv.TASK_STEP_SINCE)
            if (
                since_ns is None
                or context.now_ns - since_ns < context.thresholds.step_ns
                or task.id in context.explained
            ):
                continue
            title = f"{wording.label(task)} does not give its event loop back"
            yield about(self, task, title, since_ns, place(task))
