# SPDX-License-Identifier: Apache-2.0
"""A server's threads are all in calls to that server, which has none left to answer them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ... import semconv
from ...model import FindingKind, Level, Node, NodeKind
from .. import evidence, wording
from ..frames import place
from .context import RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import seconds

_MEMBERS_MOST = 20


class _Call(NamedTuple):
    """`worker` handles `response` and has begun `request`, which nobody has received."""

    worker: str
    response: Node
    request: Node


class ServerWaitsForItself(LookRule):
    """By the spans: whose work a thread has in hand, and what was asked for that work. Whether the thread sleeps is not
    asked: gRPC's wakes five times a second to look for signals."""

    name = "server_waits_for_itself"
    kind = FindingKind.DEADLOCK
    levels = (Level.SUSPECT, Level.SLOW)
    when = (
        "Every thread of a full executor that has work queued handles a request and has itself sent one to the same "
        "service, which for {slow} nobody is known to have received. SUSPECT after {stuck}"
    )
    advice = (
        "A handler must not call its own server and wait: call the function itself, or give such calls an executor or "
        "a server of their own. More threads only put it off"
    )
    explains = True

    stuck = seconds(15, "how long the youngest of these calls must have lasted before it is more than slow")
    slow = seconds(5, "how long it must have lasted before it is worth a word")

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        graph = context.graph
        handled: Mapping[str, Node] | None = None
        requests: Mapping[tuple[str, str], Node] | None = None
        for pool in context.of(NodeKind.EXECUTOR):
            workers = graph.holders.get(pool.id, ())
            limit = context.number(pool, semconv.EXECUTOR_WORKER_LIMIT)
            queued = context.number(pool, semconv.EXECUTOR_QUEUED)
            if not queued or limit is None or len(workers) < limit or pool.id in context.explained:
                continue
            if handled is None:
                responses = context.of(NodeKind.RESPONSE)
                handled = {one: node for node in responses for one in graph.answers.get(node.id, ())}
            if any(worker not in handled or worker not in graph.nodes for worker in workers):
                continue
            if requests is None:
                requests = _unanswered(context)
            calls = _calls(workers, handled, requests)
            if len(calls) < len(workers):
                continue
            since_ns = max(call.request.created_at for call in calls)
            if context.now_ns - since_ns < self.slow:
                continue
            yield Candidate(
                kind=self.kind,
                level=Level.SUSPECT if context.now_ns - since_ns >= self.stuck else Level.SLOW,
                since_ns=since_ns,
                core=[pool.id, *(one for call in calls[:_MEMBERS_MOST] for one in (call.worker, call.request.id))],
                about=[pool.id],
                tell=lambda pool=pool, calls=calls: self._tell(context, pool, calls),
                explains=[pool.id, *workers],
            )

    def _tell(self, context: RuleContext, pool: Node, calls: list[_Call]) -> Account:
        graph = context.graph
        count, methods = len(calls), sorted({call.request.name for call in calls})
        handling = sorted({call.response.name for call in calls})
        threads = "its only worker handles" if count == 1 else f"all {count} workers handle"
        title = (
            f"{wording.label(pool)} waits for itself: {threads} {wording.several(handling)} and "
            f"{'waits' if count == 1 else 'wait'}{wording.at('at', place(graph.nodes[calls[0].worker]))} for "
            f"{wording.several(methods)} of the same service, for which no worker is left"
        )
        return Account(
            title=title,
            advice=f"{self.advice}.",
            look_at=place(graph.nodes[calls[0].worker]),
            evidence=[],
            blocked=evidence.tail(graph, graph.behind({pool.id}) - {call.worker for call in calls}),
        )


def _unanswered(context: RuleContext) -> dict[tuple[str, str], Node]:
    """The oldest request of each trace to each service, of those that have no answer."""
    requests: dict[tuple[str, str], Node] = {}
    for node in context.of(NodeKind.REQUEST):
        key = _trace(node), _service(node)
        if not all(key) or context.graph.answers.get(node.id):
            continue
        known = requests.get(key)
        if known is None or node.created_at < known.created_at:
            requests[key] = node
    return requests


def _calls(
    workers: Iterable[str], handled: Mapping[str, Node], requests: Mapping[tuple[str, str], Node]
) -> list[_Call]:
    """For each worker that has one: the request of its work's trace to its own service, which is one worker's."""
    found: list[_Call] = []
    taken: set[tuple[str, str]] = set()
    for worker in workers:
        response = handled[worker]
        key = _trace(response), _service(response)
        request = None if key in taken else requests.get(key)
        taken.add(key)
        if request is not None and request.created_at >= response.created_at:
            found.append(_Call(worker, response, request))
    return found


def _trace(node: Node) -> str:
    span = node.attributes.get(semconv.RPC_SPAN)
    return span.partition("-")[0] if isinstance(span, str) else ""


def _service(node: Node) -> str:
    """`shop.Prices` of `shop.Prices/Get`; empty for what is no call of a service, such as `GET /`."""
    return "" if " " in node.name else node.name.rpartition("/")[0]
