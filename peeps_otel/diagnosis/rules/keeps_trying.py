# SPDX-License-Identifier: Apache-2.0
"""Somebody waits for who tries the same thing again and again, and it fails each time."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import FindingKind, Level, Node, NodeKind, own_line
from .. import evidence, wording
from .context import RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import seconds

_AGAIN = "again"
_WAITERS = (NodeKind.TASK, NodeKind.THREAD)


class KeepsTrying(LookRule):
    """It may succeed the next time: so it is only slow. Where nobody waits for it, it keeps a connection, and nothing
    is said. A later run of a thread's loop may be taken for the one before: it is as old as the wait for it."""

    name = "keeps_trying"
    kind = FindingKind.NEVER_ENDS
    levels = (Level.SLOW,)
    when = "Somebody has waited {slow} for a task or thread that tries again and again what raises each time"
    advice = "Give up after some tries and let the error through: whoever waits for the result then knows of it"
    marks = frozenset({semconv.POLL_SINCE})

    slow = seconds(10, "how long it must have failed for somebody before it is worth a word")

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        for node in (*context.marked, *context.bearing(semconv.POLL_SINCE)):
            since_ns = context.number(node, semconv.POLL_SINCE)
            if since_ns is None or node.attributes.get(semconv.POLL_ASKS) != _AGAIN or node.id in context.explained:
                continue
            behind = [one for one in context.graph.behind({node.id}) if one != node.id and _waits(context, one)]
            if not behind and not _is_first(node):
                continue
            began = [began_ns for one in behind if (began_ns := context.graph.since_of(one)) is not None]
            since_ns = max(since_ns, min(began, default=since_ns))
            if context.now_ns - since_ns < self.slow:
                continue
            yield Candidate(
                kind=self.kind,
                level=self.level,
                since_ns=since_ns,
                core=[node.id],
                about=[node.id],
                tell=lambda node=node, behind=behind: self._tell(context, node, behind),
            )

    def _tell(self, context: RuleContext, node: Node, behind: list[str]) -> Account:
        graph = context.graph
        at = node.attributes.get(semconv.POLL_AT)
        where = at if type(at) is str else ""
        caught = node.attributes.get(semconv.POLL_CATCHES)
        what = f"{caught} is caught" if type(caught) is str else "an exception is caught"
        title = f"{wording.label(node)} tries the same again and again{wording.at('at', where)}, and each time {what}"
        look_at = where
        if behind:
            first = min(behind, key=lambda one: (graph.since_of(one) or 0, one))
            waits_at = "" if graph.since_of(first) is None else graph.wait_of(first).source
            title += f"; {wording.label(graph.nodes[first])} waits for it{wording.at('at', waits_at)}"
            look_at = where or (waits_at if own_line.is_line(waits_at) else "")  # the loop is a library's
        return Account(title, f"{self.advice}.", look_at, blocked=evidence.tail(graph, behind))


def _waits(context: RuleContext, one: str) -> bool:
    node = context.graph.nodes.get(one)
    return node is not None and node.kind in _WAITERS


def _is_first(node: Node) -> bool:
    """The main thread is waited for by whoever has started the program; one that is to run until a signal is not."""
    is_main = node.kind is NodeKind.THREAD and node.name == "MainThread"
    return is_main and semconv.THREAD_HANDLES_SIGNALS not in node.attributes
