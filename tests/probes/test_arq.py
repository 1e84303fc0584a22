# SPDX-License-Identifier: Apache-2.0
"""The places of a worker of arq, and who waits in one of them for the result of another job; with a real Redis.

Skipped where arq is not installed, which takes no redis-py of these days.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from peeps_otel import semconv
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.patches.recorder import Recorder
from tests.probes import program as tasks
from tests.probes.program import Seen
from tests.support.databases import redis

arq: Any = pytest.importorskip("arq")
workers: Any = pytest.importorskip("arq.worker")
connections: Any = pytest.importorskip("arq.connections")


def _places(seen: Seen) -> dict[str, object]:
    node = next((one for one in seen.nodes.values() if semconv.JOB_PLACES in one.attributes), None)
    return {} if node is None else dict(node.attributes)


def _asks(seen: Seen) -> list[str]:
    return [
        str(node.attributes[semconv.TASK_JOB_FROM])
        for node in seen.nodes.values()
        if semconv.TASK_JOB_FROM in node.attributes
        and node.wait is not None
        and node.wait.operation == "job.result"
        and node.wait.deadline_ns is None
    ]


@pytest.mark.filterwarnings("ignore:Call to '__init__' function with deprecated:DeprecationWarning")
def test_all_places_are_taken_by_jobs_that_wait_for_jobs() -> None:
    async def chart(_about: object) -> None:
        """Never done: there is no place left."""

    async def report(about: dict[str, Any]) -> None:
        job = await about["redis"].enqueue_job("chart", _queue_name="of-a-test")
        await job.result()

    with redis() as port:
        if port is None:
            pytest.skip("no redis-server")

        async def main() -> None:
            settings = connections.RedisSettings(port=port)
            pool = await arq.create_pool(settings, default_queue_name="of-a-test")
            for _ in range(2):
                await pool.enqueue_job("report")
            functions = [workers.func(chart, name="chart"), workers.func(report, name="report")]
            worker = workers.Worker(
                functions, redis_settings=settings, queue_name="of-a-test", max_jobs=2, handle_signals=False
            )
            tasks.started(worker.async_run(), "worker")
            await asyncio.sleep(0)

        with tasks.running(AsyncioProbe(Recorder(1 << 62)), main) as program:
            program.until(lambda seen: _asks(seen) == ["of-a-test", "of-a-test"])
            seen = program.until(lambda seen: _places(seen).get(semconv.SEMAPHORE_AVAILABLE) == 0)
            about = _places(seen)
            assert about[semconv.SEMAPHORE_PERMITS] == 2
            assert len(seen.holders("semaphore of-a-test")) == 2
