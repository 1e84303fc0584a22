# SPDX-License-Identifier: Apache-2.0
"""When no Python of the program runs: the verdict comes from outside, within ten seconds, and names the line."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.e2e_support import Collector
from tests.support.program import Program
from tests.support.waiting import eventually

Watch = Callable[..., Program]
_BUSY = os.getloadavg()[0] > 2 * (os.cpu_count() or 1)
IN_TIME_S = 40.0 if _BUSY else 10.0
"""The promise; on a machine that others keep busy, stacks may take another attempt."""
_REGEX = """
import asyncio, re

def parse(text):
    return re.match(r"(a+)+$", text)

async def handle():
    await asyncio.sleep(1)
    parse("a" * 60 + "b")

async def main():
    print("regex: begins", flush=True)
    await asyncio.gather(handle(), asyncio.sleep(1000))

asyncio.run(main())
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sidecar is for Linux")


def _silence(collector: Collector) -> Any:
    """The finding about a silent process that is open now."""
    found = collector.get("/api/findings")["findings"]
    return next((finding for finding in found if finding["kind"] == "process_silent"), None)


def test_a_regular_expression_that_never_ends(collector: Collector, watch: Watch, tmp_path: Path) -> None:
    path = tmp_path / "regex.py"
    path.write_text(_REGEX)
    program = watch(path)
    place = program.line("parse", "re.match(")
    stuck_at = program.started + 1
    left = IN_TIME_S - (time.monotonic() - stuck_at)
    finding = eventually(lambda: (f := _silence(collector)) and f["look_at"] == place and f, "the line", left)
    assert finding["level"] == "SUSPECT"
    assert finding["title"] == (
        f"regex (pid {program.process.pid}) is silent: it runs, but no Python thread gets the interpreter: "
        f"MainThread is in match, called at {place} in parse"
    )
    assert [frame["function"] for frame in finding["stack"]][-2:] == ["parse", "match"]
    assert collector.get("/api/findings")["verdict"]["stuck"]
    why = collector.peeps("why", "--paths")
    assert why.returncode == 1
    assert why.stdout.startswith("PROCESS SILENT, SUSPECT, ")
    assert f"-> {place} in parse" in why.stdout


def test_stopped_continued_and_killed(collector: Collector, watch: Watch) -> None:
    program = watch("healthy")
    pid = program.process.pid
    eventually(lambda: collector.get("/api/processes")["processes"], "it is connected")
    time.sleep(2)
    program.process.send_signal(signal.SIGSTOP)
    stopped: Any = eventually(
        lambda: (f := _silence(collector)) and "SIGCONT lets it go on" in f["title"] and f, "it is stopped", IN_TIME_S
    )
    assert stopped["title"].startswith(f"healthy (pid {pid}) is silent: it is stopped (SIGSTOP or Ctrl-Z)")
    assert stopped["advice"] == f"kill -CONT {pid}"
    program.process.send_signal(signal.SIGCONT)
    eventually(lambda: _silence(collector) is None, "it is resolved", IN_TIME_S)
    assert collector.peeps("why").returncode == 0
    program.process.kill()
    program.process.wait()

    def said() -> str:
        return collector.get("/api/findings")["verdict"]["sentence"]

    ended = eventually(lambda: words if "goodbye" in (words := said()) else None, "it is gone", IN_TIME_S)
    assert ended.startswith(f"No program is connected; healthy (pid {pid}) ended without a goodbye")
    assert collector.peeps("why").returncode == 2
    assert [p["state"] for p in collector.get("/api/processes")["processes"]] == ["gone"]


def test_without_a_sidecar_the_collector_sees_it_by_itself(collector: Collector, watch: Watch) -> None:
    program = watch("healthy", PEEPS_WATCHDOG="false")
    eventually(lambda: collector.get("/api/processes")["processes"], "it is connected")
    time.sleep(4)  # who has spoken for less than two seconds may have become another program
    program.process.send_signal(signal.SIGSTOP)
    finding = eventually(lambda: _silence(collector), "it is silent", 2 * IN_TIME_S)
    assert finding["level"] == "SUSPECT"
    assert finding["title"].startswith(
        f"healthy (pid {program.process.pid}) is silent: it is stopped, but sends no snapshots"
    )
    program.process.send_signal(signal.SIGCONT)
    eventually(lambda: _silence(collector) is None, "it is resolved", IN_TIME_S)
