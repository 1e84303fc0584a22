# SPDX-License-Identifier: Apache-2.0
"""Channels whose items are not finished."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import Finding, FindingKind, Level, Node, NodeKind, finding_id
from ...model.operations import operation
from .. import evidence, wording
from .context import RuleContext


class NotDrained:
    """Somebody is in `join()`, and nothing has been put, taken or finished for long.

    SUSPECT where every known consumer waits for the next item although some were never marked as done; else SLOW, for a
    consumer that nobody sees may be working on one.
    """

    kind = FindingKind.CHANNEL_NOT_DRAINED
    level = Level.SUSPECT
    when = (
        "`join()` has waited 30 s for a queue in which nothing changed: items are left, or `task_done()` was not called"
    )
    advice = "Call `task_done()` in a `finally` for every item taken, and see that a consumer outlives the last `put()`"

    def __init__(self) -> None:
        self._first_seen: dict[str, tuple[int, int, int]] = {}  # by rx: unfinished, length, since

    def find(self, context: RuleContext) -> Iterable[Finding]:
        seen: dict[str, tuple[int, int, int]] = {}
        for rx in context.of(NodeKind.RX):
            unfinished = context.number(rx, semconv.CHANNEL_UNFINISHED)
            length = context.number(rx, semconv.CHANNEL_LENGTH)
            if not unfinished or length is None:
                continue
            waiters = [w for w in context.graph.waiters.get(rx.id, ()) if w in context.graph.settled]
            joins = [w for w in waiters if operation(context.graph.wait_of(w).operation).drains]
            if not joins:
                continue
            before = self._first_seen.get(rx.id)
            same = before is not None and before[:2] == (unfinished, length)
            seen[rx.id] = before if before is not None and same else (unfinished, length, context.now_ns)
            unchanged_ns = context.now_ns - seen[rx.id][2]
            joiner = min(joins, key=lambda w: (context.graph.wait_of(w).since_ns, w))
            if (
                unchanged_ns < context.thresholds.not_drained_ns
                or not context.is_long(joiner)
                or joiner in context.explained
            ):
                continue
            consumers = [w for w in waiters if w not in joins]
            yield self._finding(context, rx, joiner, consumers, unfinished, length)
        self._first_seen = seen

    def _finding(
        self, context: RuleContext, rx: Node, joiner: str, consumers: list[str], unfinished: int, length: int
    ) -> Finding:
        name = wording.label(rx)
        if length:
            why = f"{wording.count(length, 'item')} in it, and nobody takes them"
        elif consumers:
            why = f"it is empty and its consumers wait, but {unfinished} were never marked done"
        else:
            why = f"it is empty, but {unfinished} were never marked done"
        wait = context.graph.wait_of(joiner)
        return Finding(
            id=finding_id(self.kind, [rx.id]),
            kind=self.kind,
            level=self.level if consumers else Level.SLOW,
            title=f"{wording.label(context.graph.nodes[joiner])} waits until {name} is done: {why}",
            since_ns=wait.since_ns,
            core=[joiner, rx.id],
            evidence=[evidence.link(context.graph, joiner, rx.id, None)]
            + [evidence.link(context.graph, consumer, rx.id, None) for consumer in consumers[:3]],
            advice=f"{self.advice}.",
            look_at=context.graph.wait_of(consumers[0]).source if consumers else wait.source,
        )
