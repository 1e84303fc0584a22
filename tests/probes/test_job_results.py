# SPDX-License-Identifier: Apache-2.0
"""Who waits for the result of a job: one wait, however often the library looks round."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest
from celery import Celery  # pyright: ignore[reportMissingTypeStubs]  # it has none
from huey import MemoryHuey  # pyright: ignore[reportMissingTypeStubs]  # it has none

from tests.probes.threads_world import Seen, cpu_ns, world


def _one_wait(ask: Callable[[], object], do: Callable[[], object]) -> int | None:
    """Of a thread that asks, until others `do` the job: how long it may wait, None for ever."""
    with world() as made:
        made.cleaning.append(do)
        thread = made.start("asks", ask)

        def waits(seen: Seen) -> bool:
            wait = seen.thread("asks").wait
            return wait is not None and wait.operation == "job.result"

        first = made.until(waits).thread("asks")
        used_ns = cpu_ns(thread)
        made.until(lambda _: cpu_ns(thread) > used_ns)  # it has looked round once more
        node = made.until(waits).thread("asks")
        assert first.wait is not None
        assert node.wait is not None
        assert (node.wait.since_ns, node.steps) == (first.wait.since_ns, first.steps)
        return None if node.wait.deadline_ns is None else node.wait.deadline_ns - node.wait.since_ns


def _add(one: int, other: int) -> int:
    return one + other


def test_of_huey() -> None:
    queue: Any = MemoryHuey("of-a-test")
    job = queue.task()(_add)(1, 2)
    assert _one_wait(lambda: job(blocking=True), lambda: queue.execute(queue.dequeue())) is None


def test_of_celery() -> None:
    app: Any = Celery("of-a-test", broker="memory://", backend="cache+memory://")
    job = app.task(_add).delay(1, 2)
    assert _one_wait(job.get, lambda: app.backend.store_result(job.id, 3, "SUCCESS")) is None


def test_of_dramatiq() -> None:
    dramatiq: Any = pytest.importorskip("dramatiq")
    stub = importlib.import_module("dramatiq.brokers.stub")
    results: Any = importlib.import_module("dramatiq.results")
    backend: Any = importlib.import_module("dramatiq.results.backends.stub").StubBackend()
    broker: Any = stub.StubBroker(middleware=[results.Results(backend=backend)])
    message = dramatiq.actor(_add, broker=broker, store_results=True).message(1, 2)
    found = _one_wait(
        lambda: message.get_result(backend=backend, block=True, timeout=60_000),
        lambda: backend.store_result(message, 3, 60_000),
    )
    assert found is not None
    assert abs(found - 60_000_000_000) < 1_000_000_000


def test_with_a_deadline() -> None:
    queue: Any = MemoryHuey("of-another-test")
    job = queue.task()(_add)(1, 2)
    found = _one_wait(lambda: job(blocking=True, timeout=60.0), lambda: queue.execute(queue.dequeue()))
    assert found == 60_000_000_000
