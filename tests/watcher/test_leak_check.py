# SPDX-License-Identifier: Apache-2.0
"""From a check to findings that last as long as what they say."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Iterator

import pytest

import peeps_otel
from peeps_otel.diagnosis.wait_graph import WaitGraph
from peeps_otel.model import Finding, Graph, Level
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.heap.leak_report import LeakReport
from peeps_otel.probes.patches.recorder import Recorder
from peeps_otel.watcher.interfaces import Waiting
from peeps_otel.watcher.leak_check import LeakCheck

NOBODY = Waiting(WaitGraph(Graph({}, []), frozenset()), None)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform != "linux" or sys.version_info >= (3, 14), reason="proofs are made on Linux, up to Python 3.13"
    ),
]


class Loop:
    """An event loop in a thread, with one task that nobody can wake."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self._begin(), self.loop).result(10)

    async def _begin(self) -> None:
        async def lost() -> None:
            await asyncio.get_running_loop().create_future()

        self.task = asyncio.create_task(lost(), name="lost")
        self.sleeper = asyncio.create_task(asyncio.sleep(1000), name="sleeper")

    def cancel(self) -> None:
        self.loop.call_soon_threadsafe(self.task.cancel)
        while not self.task.done():
            time.sleep(0.01)

    def end(self) -> None:
        self.loop.call_soon_threadsafe(self.sleeper.cancel)
        self.loop.call_soon_threadsafe(self.task.cancel)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


@pytest.fixture
def program() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.end()


def test_in_process_without_an_agent(program: Loop) -> None:
    (finding,) = (f for f in peeps_otel.leaks() if f.title.startswith("lost "))
    assert finding.level is Level.PROVEN
    assert finding.look_at.rpartition(":")[0] == __file__
    program.cancel()
    assert [f for f in peeps_otel.leaks() if f.title.startswith("lost ")] == []


def test_a_request_is_answered_after_the_look_that_tells(program: Loop) -> None:
    probe = AsyncioProbe(Recorder(1 << 62))
    check = LeakCheck(probe.node_id)
    answers: list[tuple[LeakReport, list[Finding]]] = []
    done = threading.Event()

    def hear(report: LeakReport, findings: list[Finding]) -> None:
        answers.append((report, findings))
        done.set()

    assert check.request(hear)
    assert not check.request(hear)  # one at a time
    while not done.wait(0.05):
        now_ns = time.time_ns()
        check.look(probe.look(now_ns), NOBODY, [], now_ns)
    (report, findings) = answers[0]
    assert report.not_run == report.in_process == ""
    assert any(f.title.startswith("lost ") for f in findings)

    now_ns = time.time_ns()
    again = check.look(probe.look(now_ns), NOBODY, [], now_ns)
    assert [f.id for f in again] == [f.id for f in findings]
    program.cancel()
    after = check.look(probe.look(now_ns), NOBODY, [], now_ns)
    assert not any(f.title.startswith("lost ") for f in after)


@pytest.mark.usefixtures("program")
def test_unasked_on_the_clock() -> None:
    probe = AsyncioProbe(Recorder(1 << 62))
    check = LeakCheck(probe.node_id, every_s=1)
    deadline = time.monotonic() + 60
    found: list[Finding] = []
    while not found and time.monotonic() < deadline:
        now_ns = time.time_ns()
        found = check.look(probe.look(now_ns), NOBODY, [], now_ns)
        time.sleep(0.05)
    assert any(f.title.startswith("lost ") for f in found)
