# SPDX-License-Identifier: Apache-2.0
"""Event loops that sleep although they have something to do."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import FindingKind, Level, Node, NodeKind
from .. import evidence, wording
from ..frames import place
from .context import RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import seconds

_NAMED_MOST = 3


class LoopAsleep(LookRule):
    """A task is ready, its loop waits for events and does not know: it was made ready by another thread, by a function
    that is not for other threads (`Event.set`, `Queue.put_nowait`, `Future.set_result`, `call_soon`). Or another thread
    has called `stop`, which does not wake it either."""

    name = "loop_asleep"
    kind = FindingKind.LOST_WAKEUP
    levels = (Level.LIKELY, Level.SUSPECT)
    when = (
        "An event loop has slept for {asleep} although callbacks are due on it, or although it was told to stop. "
        "SUSPECT where a timer or a file that the loop watches may still wake it"
    )
    advice = (
        "Something was set, put or scheduled from another thread or a signal handler: hand it to the loop by "
        "`loop.call_soon_threadsafe(...)`, which wakes it"
    )
    explains = True

    asleep = seconds(2, "how long a loop must have slept although it has something to do")

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        graph = context.graph
        for thread in context.of(NodeKind.THREAD):
            since_ns = context.number(thread, semconv.LOOP_ASLEEP_SINCE)
            if since_ns is None or context.now_ns - since_ns < self.asleep or thread.id in context.explained:
                continue
            tasks = [node for one in graph.tasks_of(thread.id) if (node := graph.nodes.get(one)) is not None]
            ready = sorted((one for one in tasks if one.state == "runnable"), key=lambda one: one.id)
            may_wake = thread.attributes.get(semconv.LOOP_MAY_WAKE) is not False
            core = [*(one.id for one in ready[:_NAMED_MOST]), thread.id]
            yield Candidate(
                kind=self.kind,
                level=Level.SUSPECT if may_wake else Level.LIKELY,
                since_ns=since_ns,
                core=core,
                about=[thread.id],
                tell=lambda t=thread, r=ready, m=may_wake: self._tell(context, t, r, m),
                explains=context.newly_behind({one.id for one in ready} or self._stopped(thread)),
            )

    @staticmethod
    def _stopped(thread: Node) -> set[str]:
        """The thread, where its end is what the loop keeps: that was told to stop."""
        return {thread.id} if thread.attributes.get(semconv.LOOP_TOLD_TO_STOP) is True else set()

    def _tell(self, context: RuleContext, thread: Node, ready: list[Node], may_wake: bool) -> Account:
        if not ready and self._stopped(thread):
            return self._tell_stop(context, thread, may_wake)
        names = wording.several([wording.label(one) for one in ready], _NAMED_MOST) or "a callback"
        where = place(ready[0]) if ready else ""
        title = f"{names} {'is' if len(ready) < 2 else 'are'} ready to run{wording.at('at', where)}, "
        title += f"but the event loop of {wording.label(thread)} sleeps: nobody has woken it"
        title += ", and only something else may" if may_wake else ""
        behind = context.graph.behind({one.id for one in ready})
        return Account(
            title=title,
            advice=f"{self.advice}.",
            look_at=where,
            blocked=evidence.tail(context.graph, behind - {one.id for one in ready}),
        )

    def _tell_stop(self, context: RuleContext, thread: Node, may_wake: bool) -> Account:
        """Looked at is where somebody waits for the thread: mostly that is beside the call."""
        behind = evidence.tail(context.graph, context.graph.behind({thread.id}))
        waits = [node for one in behind if (node := context.graph.nodes.get(one)) is not None and node.wait is not None]
        title = f"the event loop of {wording.label(thread)} was told to stop, but sleeps: `loop.stop()` from another "
        title += "thread does not wake it" + (", and only something else may" if may_wake else "")
        if waits:
            first = waits[0]
            title += f"; {wording.label(first)} waits{wording.at('at', place(first))}"
        return Account(
            title=title,
            advice="Call `loop.call_soon_threadsafe(loop.stop)`, which wakes it, and join its thread after that.",
            look_at=place(waits[0]) if waits else "",
            blocked=behind,
        )
