# SPDX-License-Identifier: Apache-2.0
"""A statement is not answered, and whoever has a transaction open at the same database waits for who sent it."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import EdgeKind, FindingKind, Level, Node, NodeKind
from .. import evidence, wording
from ..closure import closure
from ..frames import place
from ..wait_index import WaitIndex
from .context import RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import seconds


class TransactionWaits(LookRule):
    """Which locks there are the database alone knows, so it is never more than suspected. It does not find such a ring
    itself: one of its transactions is idle, not waiting."""

    name = "transaction_waits"
    kind = FindingKind.DEADLOCK
    levels = (Level.SUSPECT, Level.SLOW)
    when = (
        "A task has waited {slow} for the answer to a statement that changes or locks something (asyncpg, psycopg, and "
        "SQLAlchemy with these), and has itself a transaction open at that database by another connection in which "
        "nothing is asked, or somebody has who waits for it. SUSPECT after {stuck}"
    )
    advice = (
        "Use the connection that has the transaction for that statement too, or end the transaction before; "
        "`lock_timeout` of the database bounds such waits"
    )
    explains = True

    stuck = seconds(15, "how long it must have lasted before it is more than slow")
    slow = seconds(5, "how long it must have lasted before it is worth a word")

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        graph = context.graph
        for one in context.of(NodeKind.LOCK):
            if semconv.DATABASE_TRANSACTIONS not in one.attributes:
                continue
            for holder in graph.holders.get(one.id, ()):
                for waiter in _asked_by(graph, holder, one):
                    yield from self._of(context, one, waiter, holder)

    def _of(self, context: RuleContext, transactions: Node, waiter: Node, holder: str) -> Iterable[Candidate]:
        graph = context.graph
        since_ns = max(graph.wait_of(waiter.id).since_ns, graph.wait_of(holder).since_ns)
        bounded = waiter.id in graph.bounded or holder in graph.bounded
        if bounded or waiter.id in context.explained or context.now_ns - since_ns < self.slow:
            return
        members = {waiter.id, holder, *graph.targets.get(waiter.id, ())}
        yield Candidate(
            kind=self.kind,
            level=Level.SUSPECT if context.now_ns - since_ns >= self.stuck else Level.SLOW,
            since_ns=since_ns,
            core=sorted({waiter.id, holder}),
            about=[transactions.id],
            tell=lambda: self._tell(context, transactions, waiter, holder),
            explains=context.newly_behind(members) | members,
        )

    def _tell(self, context: RuleContext, transactions: Node, waiter: Node, holder: str) -> Account:
        graph = context.graph
        at, there, who = place(waiter), place(graph.nodes[holder]), wording.label(graph.nodes[holder])
        held = graph.held_by(transactions.id, holder)
        title = f"{wording.label(waiter)} waits for its statement at {transactions.name}{wording.at('at', at)}, "
        taken = "" if held is None or not held.source else wording.at("taken at", held.source)
        if holder == waiter.id:
            title += (
                f"and has a transaction open there by another connection{taken}: that one's locks may be waited for"
            )
        else:
            title += (
                f"and {who} has a transaction open there{taken} and waits{wording.at('at', there)} "
                f"for {wording.label(waiter)}: its locks may be waited for"
            )
        needs = (edge.dst for edge in graph.edges_of(waiter.id) if edge.kind is EdgeKind.NEEDS)
        target = next((one for one in needs if one in graph.nodes), None)
        links = [] if target is None else [evidence.link(graph, waiter.id, target, None)]
        return Account(
            title=title,
            advice=f"{self.advice}.",
            look_at=at,
            evidence=links,
            blocked=evidence.tail(graph, graph.behind({waiter.id, holder}) - {waiter.id, holder}),
        )


def _asked_by(graph: WaitIndex, holder: str, transactions: Node) -> list[Node]:
    """Those whose statement at this database the holder of a transaction there waits for, himself among them."""

    def leads_to(node: str) -> Iterable[str]:
        yield from graph.targets.get(node, ())
        yield from graph.holders.get(node, ())

    wanted = transactions.attributes[semconv.DATABASE_TRANSACTIONS]
    on_the_way = (graph.nodes.get(one) for one in closure([holder], leads_to))
    return [
        node
        for node in on_the_way
        if node is not None and node.wait is not None and node.attributes.get(semconv.TASK_STATEMENT_AT) == wanted
    ]
