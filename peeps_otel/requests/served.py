# SPDX-License-Identifier: Apache-2.0
"""Who answers the calls that somebody in another process waits for at a connection, by what servers have in the hands
of their tasks: no span need tell of them.

Looked for while the collector asks for this process's end of such a connection, and not before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import ref

from .. import semconv
from ..model import Confidence, Edge, EdgeKind, Node, NodeKind, Providers, own_line
from ..model.rpc_over import rpc_over
from ..probes import runtime
from ..probes.call_types import CallInHand
from ..probes.context import ProbeContext
from ..probes.probe import Observation
from .handlers import Handlers

_TASKS_MOST = 2000
_AT_ONCE = 50
_AGAIN_NS, _AGAIN_MOST_NS = 2_000_000_000, 60_000_000_000


@dataclass(slots=True)
class _Served:
    """One call. `tasks`: that have it in their hands."""

    call: CallInHand
    tasks: list[ref[Any]] = field(default_factory=list[ref[Any]])
    node: Node | None = None
    edges: tuple[Edge, ...] = ()


class ServedCalls:
    """For the watcher thread only. At most 2000 tasks are searched, again after two seconds and then less often where
    somebody is not found."""

    def __init__(self, context: ProbeContext) -> None:
        self._context = context
        self._known: dict[str, _Served] = {}
        self._pause_ns, self._due_ns = _AGAIN_NS, 0

    def look(
        self,
        observation: Observation,
        spans: Mapping[str, str],
        handlers: Handlers,
        now_ns: int,
        pause: Callable[[], None],
    ) -> dict[str, str]:
        """Adds the responses without a span to a look. `spans`: the responses that have one, by the tasks that handle
        them. Returns over which connection these are awaited, as far as that is found here."""
        wanted = self._wanted(observation) if self._context.libraries.has_call_types else set[str]()
        self._known = {over: one for over, one in self._known.items() if over in wanted and self._still(over, one)}
        missing = wanted - self._known.keys()
        if missing and now_ns >= self._due_ns:
            self._search(missing, pause)
            found = not missing.isdisjoint(self._known)
            self._pause_ns = _AGAIN_NS if found else min(2 * self._pause_ns, _AGAIN_MOST_NS)
            self._due_ns = now_ns + self._pause_ns
        over_of: dict[str, str] = {}
        for over, one in self._known.items():
            who = self._handled_by(one, observation)
            spanned = next((spans[task] for task in who if task in spans), None)
            if spanned is not None:
                over_of[spanned] = over
            elif who:
                self._show(over, one, who, handlers, observation)
        return over_of

    def _wanted(self, observation: Observation) -> set[str]:
        """The clients' ends of the connections that somebody elsewhere waits at, named as responses name them."""
        ends = (observation.nodes.get(far) for far in self._context.resources.flows.ends.descriptors())
        return {rpc_over(str(end.attributes.get(semconv.IO_THERE, ""))) for end in ends if end is not None} - {""}

    def _still(self, over: str, one: _Served) -> bool:
        one.tasks = [task for task in one.tasks if over in self._calls_of(task())]
        return bool(one.tasks)

    def _calls_of(self, task: Any) -> dict[str, CallInHand]:
        """The calls that a task has in its hands, by their connections."""
        found: dict[str, CallInHand] = {}
        for thing in [] if task is None else runtime.in_hands(task):
            call = self._context.libraries.call_in_hand(thing)
            over = None if call is None else runtime.end_of_client(call.client, call.port, call.server_port)
            if call is not None and over is not None:
                found[over] = call
        return found

    def _search(self, missing: set[str], pause: Callable[[], None]) -> None:
        for number, reference in enumerate(runtime.task_references()[:_TASKS_MOST]):
            if number % _AT_ONCE == 0:
                pause()
            task = reference()
            for over, call in self._calls_of(task).items():
                if over in missing:
                    self._known.setdefault(over, _Served(call)).tasks.append(ref(task))
            del task

    def _handled_by(self, one: _Served, observation: Observation) -> list[str]:
        """Those of the tasks that wait for none of the others."""
        ids = [self._context.task_id(task) for reference in one.tasks if (task := reference()) is not None]
        known = [task for task in ids if task is not None and task in observation.nodes]
        needs = {
            task: {edge.dst for edge in observation.edges.get(task, ()) if edge.kind is EdgeKind.NEEDS}
            for task in known
        }
        return [task for task in known if needs[task].isdisjoint(known)]

    def _show(self, over: str, one: _Served, who: list[str], handlers: Handlers, observation: Observation) -> None:
        first = observation.nodes[who[0]]
        if one.node is None:
            one.node = Node(
                id=self._context.ids.new(NodeKind.RESPONSE, first.created_at),
                kind=NodeKind.RESPONSE,
                name=one.call.method,
                created_at=first.created_at,
                source=own_line.UNKNOWN,
                confidence=Confidence.INFERRED,
                state="pending",
                providers=Providers.ESTIMATED,
                attributes={
                    semconv.METHOD: one.call.method,
                    semconv.RPC_OVER: over,
                    semconv.CLIENT_ADDRESS: one.call.client,
                    semconv.SERVER_PORT: one.call.server_port,
                },
            )
        node = one.node
        by = dict.fromkeys(handler for task in who for handler in handlers.of(observation.nodes[task]))
        edges = tuple(
            Edge(EdgeKind.HANDLED_BY, node.id, handler, node.created_at, confidence=Confidence.INFERRED)
            for handler in by
        )
        if edges != one.edges:
            one.edges = edges
        observation.nodes[node.id], observation.edges[node.id] = node, one.edges
