# SPDX-License-Identifier: Apache-2.0
"""Tasks, threads, spans and registered providers, and looks at all of them together."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from opentelemetry.sdk.trace import TracerProvider

from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import Finding, Graph
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.composite import CompositeProbe
from peeps_otel.probes.context import ProbeContext
from peeps_otel.probes.patches.recorder import Recorder
from peeps_otel.probes.threads.probe import ThreadProbe
from peeps_otel.providers import ProviderHandle
from peeps_otel.providers.asking import Asker
from peeps_otel.providers.probe import ProviderProbe
from peeps_otel.providers.registered import Report, register
from peeps_otel.requests.live_spans import LiveSpans
from peeps_otel.requests.probe import RequestProbe
from tests.support import looks
from tests.support.waiting import eventually


class World:
    """`look`: shows requests at once, however young. A provider may take a minute, unless `budget_s` says less: so
    long as it is asked at all, a busy machine makes no fault."""

    def __init__(self, budget_s: float = 60.0) -> None:
        self.spans = LiveSpans()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(self.spans)
        self.tracer = self.tracers.get_tracer("shop.rpc")
        context = ProbeContext()
        requests = RequestProbe(context, self.spans, young_ns=0)
        self.asker = Asker(budget_s)
        self.probe = ProviderProbe(context, requests, self.asker, young_ns=0)
        tasks = AsyncioProbe(Recorder(1 << 62), context=context)
        self._probes = CompositeProbe([tasks, ThreadProbe(context), requests, self.probe], context)
        self._diagnoser = Diagnoser()

    def look(self) -> Look:
        return Look(self._probes.look(time.time_ns()))

    def look_late(self, later_s: float) -> list[Finding]:
        """What is found by two looks, the second of which takes itself to be so much later."""
        findings: list[Finding] = []
        for at_s in (0.0, later_s):
            observation = self._probes.look(time.time_ns())
            edges = [edge for some in observation.edges.values() for edge in some]
            graph = Graph(observation.nodes, edges)
            findings = self._diagnoser.look(graph, time.time_ns() + int(at_s * 1e9))
        return findings


class Look(looks.Look):
    @property
    def faults(self) -> list[str]:
        return [f"{fault.provider}: {fault.reason}" for fault in self.observation.faults]


@contextmanager
def provided(report: Report, kind: str = "rpc", name: str = "wire") -> Generator[ProviderHandle]:
    handle = register(name, kind, report)
    try:
        yield handle
    finally:
        handle.close()


@contextmanager
def a_world(budget_s: float = 60.0) -> Generator[World]:
    world = World(budget_s)
    try:
        yield world
    finally:
        world.probe.uninstall()


def rested(world: World, look: Callable[[Look], bool]) -> Look:
    """The first look for which it is true, at each of which everybody is asked, however much they took before."""

    def once() -> Look | None:
        world.asker._due_ns.clear()  # pyright: ignore[reportPrivateUsage]  # as if time had passed
        now = world.look()
        return now if look(now) else None

    return eventually(once)
