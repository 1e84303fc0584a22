# SPDX-License-Identifier: Apache-2.0
"""Looks at a program on a runtime that is not asyncio, as in production: by its probe beside those of asyncio and
threads."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.composite import CompositeProbe
from peeps_otel.probes.context import ProbeContext
from peeps_otel.probes.patches.recorder import Recorder
from peeps_otel.probes.probe import Probe
from peeps_otel.probes.threads.probe import ThreadProbe
from tests.probes.program import SECOND, Seen
from tests.support.waiting import eventually


class RuntimeWorld:
    """`made`: the probe of the runtime."""

    def __init__(self, made: Callable[[ProbeContext], Probe]) -> None:
        context = ProbeContext()
        asyncio_probe = AsyncioProbe(Recorder(SECOND), context=context)
        self.probes = CompositeProbe([asyncio_probe, made(context), ThreadProbe(context)], context)

    def look(self) -> Seen:
        return Seen(self.probes.look(time.time_ns()))

    def settled(self, *names: str) -> Seen:
        """The second look at which each of these waits in the same wait."""
        last: list[Any] = []

        def condition() -> Seen | None:
            seen = self.look()
            now = [
                (node.name, node.steps, node.wait)
                for name in names
                for node in seen.nodes.values()
                if node.name == name
            ]
            same = len(now) == len(names) and all(wait is not None for *_, wait in now) and now == last
            last[:] = now
            return seen if same else None

        return eventually(condition)
