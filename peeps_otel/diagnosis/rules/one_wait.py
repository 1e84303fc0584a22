# SPDX-License-Identifier: Apache-2.0
"""What is told of one who waits for one thing, where no more is known than a sentence says."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ...model import Level, Node, NodeKind
from .. import evidence
from ..wait_index import WaitIndex
from .context import RuleContext
from .rule import Account, Candidate, LookRule


def account(graph: WaitIndex, waiter: str, thing: str, title: str, advice: str, look_at: str) -> Account:
    """With that wait as its evidence, and all who wait behind the two. `advice`: without its full stop."""
    return Account(
        title=title,
        advice=f"{advice}.",
        look_at=look_at,
        evidence=[evidence.link(graph, waiter, thing, None)],
        blocked=evidence.tail(graph, graph.behind({thing, waiter})),
    )


def of_results(
    rule: LookRule,
    context: RuleContext,
    level: Level,
    waited_ns: int,
    is_lost: Callable[[Node], bool],
    tell: Callable[[RuleContext, Node, str], Account],
) -> Iterator[Candidate]:
    """For each result of a pool that is lost: who has waited for it longest, without a deadline and for `waited_ns`."""
    graph = context.graph
    for result in context.of(NodeKind.FUTURE):
        waiter = graph.oldest_waiter(result.id) if is_lost(result) else None
        if waiter is None or waiter not in graph.settled or waiter in graph.bounded or waiter in context.explained:
            continue
        if context.is_long(waiter, waited_ns):
            yield Candidate(
                kind=rule.kind,
                level=level,
                since_ns=graph.wait_of(waiter).since_ns,
                core=[waiter, result.id],
                about=[result.id],
                tell=lambda result=result, waiter=waiter: tell(context, result, waiter),
                explains=context.newly_behind({result.id, waiter}),
            )
