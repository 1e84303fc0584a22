# SPDX-License-Identifier: Apache-2.0
"""Event loops that are kept from coming round."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import EvidenceStep, FindingKind, Level, Node, NodeKind, own_line
from .. import evidence, leaf, wording
from ..frames import own_frame, place
from ..wait_index import WaitIndex
from .context import RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import seconds

_COMPUTES = frozenset({"running", "gil"})


class LoopBlocked(LookRule):
    """The thread of a loop has been inside one callback for too long. Names the line, and the task if it is one."""

    name = "loop_blocked"
    kind = FindingKind.LOOP_BLOCKED
    levels = (Level.SUSPECT,)
    when = "The thread of an event loop has been in one callback for {stalled}: in a blocking call, or computing"
    advice = "Await an asynchronous version of the call, or run it with `asyncio.to_thread`"
    marks = frozenset({semconv.TASK_STEP_SINCE})
    explains = True

    stalled = seconds(0.8, "how long one callback of a loop may take")

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        for thread in context.of(NodeKind.THREAD):
            since_ns = context.number(thread, semconv.LOOP_STALLED_SINCE)
            if since_ns is None or context.now_ns - since_ns < self.stalled or thread.id in context.explained:
                continue
            tasks = context.graph.tasks_of(thread.id)
            culprit = next((t for t in tasks if semconv.TASK_STEP_SINCE in context.graph.nodes[t].attributes), None)
            yield Candidate(
                kind=self.kind,
                level=self.level,
                since_ns=since_ns,
                core=[thread.id] if culprit is None else [thread.id, culprit],
                about=[thread.id],
                tell=lambda t=thread, c=culprit, s=since_ns: self._tell(context, t, c, s),
            )

    def _tell(self, context: RuleContext, thread: Node, culprit: str | None, since_ns: int) -> Account:
        where, what = place(thread), _call(thread)
        returns = wording.short(where) if own_line.is_line(where) else "that call"
        does = "computes in" if thread.state in _COMPUTES else "is in a blocking call in"
        by = "" if culprit is None else f", in task {wording.label(context.graph.nodes[culprit])}"
        name = wording.label(thread)
        step = EvidenceStep(
            waiter=culprit or thread.id,
            resource=thread.id,
            holder=thread.id,
            since_ns=since_ns,
            text=f"{name}, which runs the event loop, {does} {what}{by}",
            wait_source=where,
            holder_doing="" if thread.wait is None else wording.doing(context.graph, thread.id),
        )
        return Account(
            title=f"the event loop of {name} {does} {what}{by}{_for_whom(context.graph, thread)}",
            advice=f"No task of this loop runs before {returns} returns. {self._instead(context.graph, thread)}.",
            look_at=where,
            evidence=[step],
            blocked=evidence.tail(context.graph, context.graph.tasks_of(thread.id)),
        )

    def _instead(self, graph: WaitIndex, thread: Node) -> str:
        if all(wording.is_of_asyncio(graph, task) for task in graph.tasks_of(thread.id)):
            return self.advice
        return f"Call what gives way instead (with gevent: of a patched module), or {wording.IN_ANOTHER_THREAD}"


def _for_whom(graph: WaitIndex, thread: Node) -> str:
    """`; it waits for the end of thread reader, which waits for a socket to …`: where somebody else of the program
    would have to go on first."""
    way = None if thread.wait is None else leaf.leaf_of(graph, thread.id)
    return f"; it {leaf.clause(graph, way)}" if way is not None and way.steps else ""


def _call(thread: Node) -> str:
    """`work (app.py:7)`; of a thread that is in no own function, `feed (aiohttp)`."""
    frame = own_frame(thread)
    if frame is not None:
        return f"{frame.function} ({wording.short(place(thread))})"
    if thread.stack:
        return f"{thread.stack[-1].function} ({own_line.library_of(thread.stack)})"
    return wording.short(place(thread))
