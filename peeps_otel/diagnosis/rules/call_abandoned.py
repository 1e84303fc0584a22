# SPDX-License-Identifier: Apache-2.0
"""Calls whose caller is gone, and whose handler does not know."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import FindingKind, Level, Node, NodeKind
from .. import wording
from ..frames import place
from ..open_calls import is_stream
from .context import RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import seconds

_DETACHED, _CANCELLING = "detached", "cancelling"


class CallAbandoned(LookRule):
    """A request whose task has ended, or that was cancelled by the word of its protocol, while its handler goes on: the
    work is for nobody, and so is what the handler holds meanwhile."""

    name = "call_abandoned"
    kind = FindingKind.CALL_ABANDONED
    levels = (Level.SLOW,)
    when = (
        "A call is still in flight {slow} after the task that sent it has ended, or after it was cancelled, and its "
        "handler goes on"
    )
    advice = (
        "The cancellation does not reach the handler: give the call a deadline, which both ends know, and see that "
        "what wraps the client passes `cancel()` on"
    )

    slow = seconds(5, "how long a handler may go on for nobody")

    def __init__(self, values: dict[str, int] | None = None) -> None:
        super().__init__(values)
        self._first_seen: dict[str, int] = {}

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        abandoned = {one.id: one for one in context.of(NodeKind.REQUEST) if _is_abandoned(one)}
        self._first_seen = {one: self._first_seen.get(one, context.now_ns) for one in abandoned}
        for request in abandoned.values():
            handler = _handler(context, request)
            since_ns = self._first_seen[request.id]
            if handler is None or is_stream(handler):
                continue  # the task that began a stream may end, and another one read it
            if context.graph.waiters.get(request.id) or context.now_ns - since_ns < self.slow:
                continue
            yield Candidate(
                kind=self.kind,
                level=Level.SLOW,
                since_ns=since_ns,
                core=[request.id, handler.id],
                about=[request.id],
                tell=lambda r=request, h=handler: self._tell(context, r, h),
            )

    def _tell(self, context: RuleContext, request: Node, handler: Node) -> Account:
        cancelled = request.attributes.get(semconv.RPC_STAGE) == _CANCELLING
        what = "was cancelled" if cancelled else "has outlived the task that sent it"
        name, doing = wording.label(handler), wording.doing(context.graph, handler.id)
        doing = f": it {doing}" if doing else ""
        return Account(
            title=f"{wording.label(request)} {what}, but its handler {name} goes on for nobody{doing}",
            advice=f"{self.advice}.",
            look_at=place(handler),
            evidence=[],
        )


def _is_abandoned(request: Node) -> bool:
    return request.state == _DETACHED or request.attributes.get(semconv.RPC_STAGE) == _CANCELLING


def _handler(context: RuleContext, request: Node) -> Node | None:
    """Who runs the handler, as far as it is seen."""
    graph = context.graph
    for response in graph.answers.get(request.id, ()):
        for handler in graph.answers.get(response, ()):
            node = graph.nodes.get(handler)
            if node is not None and node.kind in (NodeKind.TASK, NodeKind.THREAD):
                return node
    return None
