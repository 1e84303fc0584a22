# SPDX-License-Identifier: Apache-2.0
"""The provider probe: what the registered providers report, as part of the picture of one look.

What they say is a fact that was reported, not one that was seen: their edges are inferred and their nodes never closed,
so nothing is PROVEN by it alone. What could not be had of one is a fault, and said.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from .. import semconv
from ..model import AttributeValue, Confidence, Edge, EdgeKind, Node, NodeKind
from ..model.coverage import blind
from ..probes.context import ProbeContext
from ..probes.probe import Observation, ProviderFault, Yield
from ..requests.probe import YOUNG_NS, RequestProbe
from ..requests.waiters import Waiters
from . import database_nodes, rpc_nodes, shm_nodes
from .asking import Asker, Call
from .database import DatabaseReport
from .picture import Around, Canvas, OfDescriptor, OfSpan, Picture
from .postgresql_titles import Titles
from .reading import Malformed, read
from .registered import Entry, living
from .rpc import RpcReport, Worker
from .shared_memory import Mapped

_OFTEN_NS = 1_000_000_000
_LATE_NS = 10_000_000_000


@dataclass(slots=True)
class _Provider:
    """What is known of one provider between looks. `fault`: why there is no new picture."""

    canvas: Canvas
    picture: Picture
    fault: str = ""
    notes: tuple[str, ...] = ()


class ProviderProbe:
    """A `Probe`. `requests`: the probe of spans, whose nodes are those of the same requests."""

    name = "providers"

    def __init__(
        self,
        context: ProbeContext,
        requests: RequestProbe | None = None,
        asker: Asker | None = None,
        young_ns: int = YOUNG_NS,
    ) -> None:
        self._context = context
        self._requests = requests
        self._asker = asker or Asker()
        self._young_ns = young_ns
        self._providers: dict[int, _Provider] = {}
        self._mapped = Mapped()
        self._titles = Titles()
        self._waiters = Waiters()
        self._edges: dict[str, tuple[Edge, ...]] = {}
        self._met: dict[OfDescriptor, list[str]] = {}
        self._met_before: dict[OfDescriptor, list[str]] = {}
        self._merged: dict[str, tuple[Node, OfSpan, Node]] = {}
        self._touched: dict[str, tuple[tuple[Edge, ...], tuple[Edge, ...]]] = {}

    def install(self) -> None:
        """Nothing is changed."""

    def uninstall(self) -> None:
        self._asker.stop()

    def observe(self, observation: Observation, now_ns: int, pause: Yield) -> None:
        """Asks all providers and adds what they report."""
        entries = living()
        ours = [entry for entry in entries if entry.pid == os.getpid()]
        if len(entries) > len(ours):
            observation.coverage.append(
                f"providers: {len(entries) - len(ours)} registered before the fork, not asked in the child"
            )
        ours += [self._mapped.entry] if self._mapped.is_wanted() else []
        ours += [self._titles.entry] if self._titles.is_wanted(observation, now_ns) else []
        numbers = {entry.number for entry in ours}
        self._providers = {number: one for number, one in self._providers.items() if number in numbers}
        self._asker.begin(ours)
        around = self._around(observation, now_ns)
        for call in self._asker.take():
            self._answered(call, around, pause)
        for entry in ours:
            self._show(entry, observation)
        # Now, before it is said of which request they wait for an answer.
        wanted = any(provider.picture.of_descriptors for provider in self._providers.values())
        self._edges = dict(observation.edges) if wanted else {}

    def confirm(self, observation: Observation, now_ns: int, pause: Yield) -> None:
        """Who waits for what was reported; and what was reported of requests whose spans are shown."""
        merged, self._merged = self._merged, {}
        self._met_before, self._met = self._met, {}
        touches: dict[str, list[Edge]] = {}
        for provider in self._providers.values():
            if provider.fault:
                continue
            self._merge(provider.picture.of_spans, merged, observation)
            for lead in provider.picture.leads:
                target = observation.nodes.get(lead.target)
                if target is not None:
                    self._waiters.lead(observation, lead.waiter, target, lead.operation, lead.deadline_ns)
            self._lead_by_descriptor(provider.picture, observation)
            for user, thing in provider.picture.users:
                edge = Edge(EdgeKind.TOUCHES, user, thing, confidence=Confidence.INFERRED)
                touches.setdefault(user, []).append(edge)
        self._waiters.done()
        self._touch(touches, observation)

    def _lead_by_descriptor(self, picture: Picture, observation: Observation) -> None:
        """Whoever was met at a descriptor waits there as long as it is reported, also if it looks round at times."""
        waiting = _waiting_at(observation, self._edges) if picture.of_descriptors else {}
        for one in picture.of_descriptors:
            target = observation.nodes.get(one.target)
            if target is None:
                continue
            met = self._met[one] = waiting.get(one.fd) or self._met_before.get(one, [])
            for waiter in met:
                self._waiters.lead(observation, waiter, target, one.operation, since_ns=one.since_ns)

    # --- one provider -------------------------------------------------------------------------------------------------

    def _answered(self, call: Call, around: Around, pause: Yield) -> None:
        entry = call.entry
        value, call.value = call.value, None
        provider = self._providers.get(entry.number)
        if provider is None:
            provider = self._providers[entry.number] = _Provider(Canvas(entry, self._context.ids), Picture())
        provider.notes = ()
        if call.error:
            provider.fault = call.error if " " in call.error else f"raised {call.error}"
            return
        try:
            report, problems, beyond = read(value, entry.kind, pause)
        except Malformed as malformed:
            provider.fault = str(malformed)
            return
        provider.fault = ""
        provider.canvas.begin()
        if isinstance(report, RpcReport):  # ours: it was made by `read`
            rpc_nodes.draw(report, provider.canvas, around)
        elif isinstance(report, DatabaseReport):
            database_nodes.draw(report, provider.canvas, around)
        else:
            shm_nodes.draw(report, provider.canvas, around)
        provider.picture = provider.canvas.end()
        provider.notes = problems if not beyond else (*problems, f"{beyond} records beyond the most that are read")

    def _show(self, entry: Entry, observation: Observation) -> None:
        provider = self._providers.get(entry.number)
        overdue_ns = self._asker.overdue(entry)
        reasons = () if provider is None else provider.notes
        if overdue_ns is not None:
            late = provider is None or overdue_ns >= _LATE_NS
            reasons = ("has not come back since it was asked" if provider is None or late else provider.fault,)
        elif provider is not None and provider.fault:
            reasons = (provider.fault,)
        elif provider is not None:
            observation.nodes |= provider.picture.nodes
            observation.edges |= provider.picture.edges
            if not entry.ready_made and self._asker.rests(entry) > _OFTEN_NS:
                observation.coverage.append(f"provider {entry.name}: asked less often, for it takes long to answer")
        if entry is self._titles.entry:
            reasons = ()  # without it nothing is concluded that would be with it
        for reason in reasons:
            observation.faults.append(ProviderFault(entry.name, entry.kind, reason))
            observation.coverage.append(blind(f"provider {entry.name}: {reason}"))

    def _around(self, observation: Observation, now_ns: int) -> Around:
        context, requests = self._context, self._requests
        threads = context.thread_nodes()

        def node_of(worker: Worker) -> Node | None:
            node_id = threads.get(worker) if type(worker) is int else context.task_id(worker)
            return None if node_id is None else observation.nodes.get(node_id)

        living: list[frozenset[int]] = []  # asked once, and only where a report names a span

        def is_live_span(span_id: int) -> bool:
            if not living:
                living.append(frozenset() if requests is None else requests.living())
            return span_id in living[0]

        return Around(now_ns, self._young_ns, node_of, is_live_span)

    # --- together with what others have seen --------------------------------------------------------------------------

    def _merge(
        self, of_spans: Mapping[int, OfSpan], before: Mapping[str, tuple[Node, OfSpan, Node]], observation: Observation
    ) -> None:
        shown: Mapping[int, Node] = {} if self._requests is None or not of_spans else self._requests.nodes()
        for span, told in of_spans.items():
            node = shown.get(span)
            if node is None:
                continue
            known = before.get(node.id)
            if known is not None and known[0] is node and known[1] == told:
                self._merged[node.id] = known
            else:
                attributes: dict[str, AttributeValue] = node.attributes | told.attributes
                self._merged[node.id] = (node, told, replace(node, attributes=attributes))
            merged = self._merged[node.id][2]
            observation.nodes[node.id] = merged
            waiter = self._requests.waiter_of(node.id) if self._requests is not None else None
            if waiter is not None and told.deadline_ns is not None:
                self._waiters.lead(observation, waiter, merged, deadline_ns=told.deadline_ns)

    def _touch(self, touches: Mapping[str, list[Edge]], observation: Observation) -> None:
        before, self._touched = self._touched, {}
        for user, edges in touches.items():
            others = observation.edges.get(user, ())
            known = before.get(user)
            wanted = (*others, *dict.fromkeys(edges))
            if known is None or known[0] is not others or known[1] != wanted:
                known = (others, wanted)
            self._touched[user] = known
            if user in observation.nodes:
                observation.edges[user] = known[1]


def _waiting_at(observation: Observation, before: Mapping[str, tuple[Edge, ...]]) -> dict[int, list[str]]:
    """By descriptor: the tasks and threads that wait for what it is. `before`: all edges, before a request took the
    place of what its sender waits for."""
    ends: dict[str, int] = {}
    for node in observation.nodes.values():
        fd = node.attributes.get(semconv.IO_FD) if node.kind is NodeKind.IO else None
        if type(fd) is int and semconv.IO_IS_FAR not in node.attributes:
            ends[node.id] = fd
    found: dict[int, list[str]] = {}
    for waiter, edges in before.items():
        for edge in edges:
            if edge.kind is EdgeKind.NEEDS and edge.dst in ends:
                found.setdefault(ends[edge.dst], []).append(waiter)
    return found
