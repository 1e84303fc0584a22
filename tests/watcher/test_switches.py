# SPDX-License-Identifier: Apache-2.0
"""The public functions of a watched process, and the variables that switch parts of it off; in processes of their own,
for an agent rewrites asyncio."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

_PROGRAM = """
import asyncio, json, time
import peeps_otel
from peeps_otel import agent

def work():
    end = time.monotonic() + 0.8
    while time.monotonic() < end:
        sum(range(1000))

async def main():
    work()

peeps_otel.init("shop")
asyncio.run(main())
running = agent.running()
told = {}
try:
    told["folded"] = peeps_otel.profile()
    told["speedscope"] = json.loads(peeps_otel.profile("speedscope"))["exporter"]
except RuntimeError as error:
    told["error"] = str(error)
told["probes"] = [probe.name for probe in running.parts.probes._probes]
told["rewritten"] = "_peeps_step" in asyncio.BaseEventLoop._run_once.__code__.co_names
peeps_otel.pause()
told["paused"] = running.watcher._thread is None
peeps_otel.resume()
told["resumed"] = running.watcher._thread is not None
peeps_otel.attention()
governor = running.watcher.governor
told["budgets"] = [governor._cpu_share, governor._bytes_per_s, governor._wanted_sample_ns]
print(json.dumps(told))
"""


def _told(**environment: str) -> dict[str, Any]:
    surroundings = {key: value for key, value in os.environ.items() if not key.startswith(("PEEPS_", "OTEL_"))}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], env=surroundings | environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_by_default_everything_is_on_but_exact_steps() -> None:
    told = _told()
    assert "work" in str(told["folded"])
    assert told["speedscope"] == "peeps-otel"
    assert (told["paused"], told["resumed"], told["rewritten"]) == (True, True, False)
    assert {"asyncio", "threads", "requests"} <= set(told["probes"])
    assert told["budgets"] == [0.01, 65536, 50_000_000]


def test_parts_are_switched_off_and_budgets_set() -> None:
    told = _told(
        PEEPS_SAMPLE_HZ="0",
        PEEPS_PROBE_ASYNCIO="false",
        PEEPS_PROBE_THREADS="false",
        PEEPS_REQUESTS="false",
        PEEPS_CPU_BUDGET_PERCENT="0.5",
        PEEPS_BYTES_BUDGET="1000",
        PEEPS_DIAGNOSTICS="1",
    )
    assert "PEEPS_SAMPLE_HZ is 0" in str(told["error"])
    assert told["probes"] == ["exact steps", "providers", "deaths"]
    assert told["rewritten"] is True
    assert told["budgets"] == [0.005, 1000, 0]
