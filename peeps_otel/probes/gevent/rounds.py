# SPDX-License-Identifier: Apache-2.0
"""Hubs that do not come round: a greenlet computes, or is in a call that gevent does not know, and all others wait."""

from __future__ import annotations

from dataclasses import replace

from ... import semconv
from ...model import AttributeValue, Frame, Node, NodeKind
from ..context import ProbeContext
from ..probe import Observation
from .greenlets import GreenletRecord
from .hubs import Hub

_TOLD_S = 0.1


class Rounds:
    """For the watcher thread only. Nodes that have not changed are the same objects as before."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[Node, Node]] = {}

    def tell(
        self, observation: Observation, context: ProbeContext, hub: Hub, running: GreenletRecord | None, now_ns: int
    ) -> None:
        """Writes on the thread of a hub since when it has not come round, and on the greenlet that is to blame."""
        thread = observation.nodes.get(context.thread(hub.ident, now_ns))
        began_s = hub.round_began_s()
        if thread is None or thread.kind is not NodeKind.THREAD or began_s is None or _waits_for_events(thread):
            return
        since_ns = int(began_s * 1e9)
        if now_ns - since_ns < _TOLD_S * 1e9:
            return
        self._lay(observation, thread, {semconv.LOOP_STALLED_SINCE: since_ns}, thread.stack)
        if running is not None:
            self._lay(observation, running.node, {semconv.TASK_STEP_SINCE: since_ns}, thread.stack)

    def _lay(
        self, observation: Observation, node: Node, facts: dict[str, AttributeValue], stack: tuple[Frame, ...]
    ) -> None:
        made = replace(node, attributes=node.attributes | facts, stack=stack)
        before = self._before.get(node.id)
        if before is not None and before[0] is node and before[1] == made:
            made = before[1]
        self._before[node.id] = (node, made)
        observation.nodes[node.id] = made


def _waits_for_events(thread: Node) -> bool:
    """Whether its innermost function is that of the hub, which waits for events there."""
    innermost = thread.stack[-1] if thread.stack else None
    return innermost is None or (innermost.function == "Hub.run" and innermost.file.endswith("gevent/hub.py"))
