# SPDX-License-Identifier: Apache-2.0
"""On which thread a task is, where the system gives a thread's ident to the next one."""

from __future__ import annotations

import asyncio
import threading
import time

from peeps_otel import semconv
from peeps_otel.model import NodeKind
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.composite import CompositeProbe
from peeps_otel.probes.context import ProbeContext
from peeps_otel.probes.patches.recorder import Recorder
from peeps_otel.probes.threads.probe import ThreadProbe
from tests.support.waiting import eventually


def test_a_task_is_on_the_thread_that_runs_its_loop_not_on_one_that_had_its_ident() -> None:
    context = ProbeContext()
    probes = CompositeProbe([AsyncioProbe(Recorder(1 << 62), context=context), ThreadProbe(context)], context)
    ends = threading.Event()
    before = threading.Thread(target=ends.wait, name="before")
    before.start()
    had = before.ident
    probes.look(time.time_ns())
    ends.set()
    before.join()

    stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serves() -> None:
        stop.append((asyncio.get_running_loop(), asyncio.Event()))
        await stop[0][1].wait()

    server = threading.Thread(target=lambda: asyncio.run(serves()), name="server")
    server.start()
    try:
        assert server.ident == had, "the ident was not given again: this tests nothing"
        eventually(lambda: stop)
        seen = [probes.look(time.time_ns()) for _ in range(3)][-1]
        (task,) = (node for node in seen.nodes.values() if node.kind is NodeKind.TASK)
        (thread,) = (node for node in seen.nodes.values() if node.name == "server")
        assert task.attributes[semconv.TASK_THREAD] == thread.id
    finally:
        stop[0][0].call_soon_threadsafe(stop[0][1].set)
        server.join()
