# SPDX-License-Identifier: Apache-2.0
"""A program that pushes by OTLP/gRPC: the same verdict, it hears what the collector asks, and it may fork."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.e2e_support import Collector
from tests.support.program import Program
from tests.support.waiting import eventually

Watch = Callable[..., Program]

LEAKY = """
import asyncio, sys

async def wait_for_reply():
    await asyncio.get_running_loop().create_future()

async def main():
    kept = asyncio.create_task(wait_for_reply(), name="order")
    while "grpc" not in sys.modules:
        await asyncio.sleep(0.1)
    print("leaky: pushes by gRPC", flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""

FORKING = """
import asyncio, os, time

async def stuck():
    lock = asyncio.Lock()
    await lock.acquire()
    await lock.acquire()

print("forking: starts", flush=True)
time.sleep(3)  # long enough for the parent to have pushed
for _ in range(2):
    if not os.fork():
        break
asyncio.run(stuck())
"""


@pytest.mark.parametrize(
    "settings", [{"PEEPS_COLLECTOR_ENDPOINT": "grpc://{}"}, {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}]
)
def test_the_same_verdict(collector: Collector, watch: Watch, settings: dict[str, str]) -> None:
    given = {name: value.format(collector.otlp) for name, value in settings.items()}
    program = watch("lock-order-deadlock", **given)
    assert collector.verdict_on(program).level == "PROVEN"


def test_it_hears_what_the_collector_asks(collector: Collector, watch: Watch, tmp_path: Path) -> None:
    path = tmp_path / "leaky.py"
    path.write_text(LEAKY)
    watch(path, PEEPS_COLLECTOR_ENDPOINT=f"grpc://{collector.otlp}")
    eventually(lambda: collector.get("/api/processes")["processes"], "the program is connected")
    done = collector.peeps("why", "--leaks", "--json")
    # Whether the check can be made is another matter: copies of a process with open gRPC channels die.
    assert "Leak check of leaky (pid" in done.stderr
    assert "not reached" not in done.stderr
    assert "no answer" not in done.stderr


def test_forked_workers_push_too(collector: Collector, watch: Watch, tmp_path: Path) -> None:
    path = tmp_path / "forking.py"
    path.write_text(FORKING)
    program = watch(path, PEEPS_COLLECTOR_ENDPOINT=f"grpc://{collector.otlp}")

    def found() -> bool:
        findings = collector.get("/api/findings")["findings"]
        return len({process for finding in findings for process in finding["processes"]}) == 3

    eventually(found, "the parent and its two workers are stuck")
    assert "Traceback" not in program.output()
