# SPDX-License-Identifier: Apache-2.0
"""Channels whose items are not finished."""

from __future__ import annotations

from collections.abc import Iterable, Set

from ... import semconv
from ...model import FindingKind, Level, Node, NodeKind
from ...model.operations import operation
from .. import evidence, wording
from ..wait_index import WHOEVER_CALLS
from .context import RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import seconds


class ChannelNotDrained(LookRule):
    """Somebody is in `join()`, and nothing has been put, taken or finished for long.

    SUSPECT where every known consumer waits for the next item although some were never marked as done, or where by the
    heap nobody who runs would take or finish one; else SLOW, for a consumer that nobody sees may be working on one.
    """

    name = "channel_not_drained"
    kind = FindingKind.CHANNEL_NOT_DRAINED
    levels = (Level.SUSPECT, Level.SLOW)
    when = (
        "`join()` has waited {unchanged} for a queue in which nothing changed: items are left, or `task_done()` was "
        "not called. SUSPECT where all its consumers wait, or by the heap none is left"
    )
    advice = "Call `task_done()` in a `finally` for every item taken, and see that a consumer outlives the last `put()`"

    unchanged = seconds(30, "how long `join()` may see a queue unchanged")

    def __init__(self, values: dict[str, int] | None = None) -> None:
        super().__init__(values)
        self._first_seen: dict[str, tuple[int, int, int]] = {}  # by rx: unfinished, length, since

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        graph = context.graph
        seen: dict[str, tuple[int, int, int]] = {}
        for rx in context.of(NodeKind.RX):
            unfinished = context.number(rx, semconv.CHANNEL_UNFINISHED)
            length = context.number(rx, semconv.CHANNEL_LENGTH)
            if not unfinished or length is None:
                continue
            waiters = [w for w in graph.waiters.get(rx.id, ()) if w in graph.settled]
            joins = [w for w in waiters if operation(graph.wait_of(w).operation).drains]
            if not joins:
                continue
            before = self._first_seen.get(rx.id)
            same = before is not None and before[:2] == (unfinished, length)
            seen[rx.id] = before if before is not None and same else (unfinished, length, context.now_ns)
            joiner = min(joins, key=lambda w: (graph.wait_of(w).since_ns, w))
            if (
                context.now_ns - seen[rx.id][2] < self.unchanged
                or not context.is_long(joiner)
                or joiner in context.explained
            ):
                continue
            joining = set(joins)
            consumers = [w for w in waiters if w not in joining]
            alone = not consumers and _nobody_finishes(context, rx, joining)
            yield Candidate(
                kind=self.kind,
                level=Level.SUSPECT if consumers or alone else Level.SLOW,
                since_ns=graph.wait_of(joiner).since_ns,
                core=[joiner, rx.id],
                about=[rx.id],
                tell=lambda rx=rx, j=joiner, c=consumers, a=alone: self._tell(context, rx, j, c, a),
            )
        self._first_seen = seen

    def _tell(self, context: RuleContext, rx: Node, joiner: str, consumers: list[str], alone: bool) -> Account:
        graph = context.graph
        unfinished = context.number(rx, semconv.CHANNEL_UNFINISHED)
        length = context.number(rx, semconv.CHANNEL_LENGTH)
        if length and alone:
            why = f"{wording.count(length, 'item')} in it, and nobody who runs is to take them"
        elif length:
            why = f"{wording.count(length, 'item')} in it, and nobody takes them"
        elif alone:
            why = f"it is empty, but {unfinished} were never marked done, and nobody who runs is to do that"
        elif consumers:
            why = f"it is empty and its consumers wait, but {unfinished} were never marked done"
        else:
            why = f"it is empty, but {unfinished} were never marked done"
        return Account(
            title=f"{wording.label(graph.nodes[joiner])} waits until {wording.label(rx)} is done: {why}",
            advice=f"{self.advice}.",
            look_at=graph.wait_of(consumers[0] if consumers else joiner).source,
            evidence=[evidence.link(graph, waiter, rx.id, None) for waiter in (joiner, *consumers[:3])],
        )


def _nobody_finishes(context: RuleContext, rx: Node, joining: Set[str]) -> bool:
    """Whether by the heap nobody who runs has code left that takes from the queue or marks an item as done; at most a
    function does that somebody might call."""
    if semconv.COULD_END_ASKED not in rx.attributes or not set(context.graph.enders.get(rx.id, ())) <= joining:
        return False
    outside = rx.attributes.get(semconv.COULD_END_OUTSIDE)
    return outside is None or str(outside).startswith(WHOEVER_CALLS)
