# SPDX-License-Identifier: Apache-2.0
"""How long a cut through ten processes takes, from the request to the last answer.

`python -m bench.cuts [PROCESSES] [CUTS]`: prints, publishes nothing. Every process has a hundred waiting tasks and all
settings at their default; they and the collector share the machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Generator
from pathlib import Path
from typing import Any

from scripts.collector_process import CollectorProcess, on_free_ports

from .modes import PEEPS, started
from .processes import Failed

_PATIENCE_S = 120.0
_POLL_S = 0.005
_BETWEEN_S = 0.7
_PROGRAM = """
import asyncio
async def main():
    await asyncio.gather(*(asyncio.Event().wait() for _ in range(100)))
asyncio.run(main())
"""


@contextlib.contextmanager
def collector_of_its_own() -> Generator[dict[str, Any]]:
    """The addresses of a collector with an empty database, which ends with the block."""
    with tempfile.TemporaryDirectory(prefix="peeps-bench-") as directory:
        peeps = [str(Path(sys.executable).with_name("peeps"))]
        variables = os.environ | on_free_ports(Path(directory, "peeps.duckdb"))
        collector = CollectorProcess(peeps, Path(directory, "ready.json"), variables)
        try:
            yield collector.wait()
        finally:
            end(collector.process)


@contextlib.contextmanager
def watched_program(program: Path, addresses: dict[str, Any]) -> Generator[None]:
    """As a user starts it, reporting to the collector at these addresses; it ends with the block."""
    how = started(PEEPS, Path(sys.executable), addresses["grpc"][0], "")
    command = [*how.command[: how.command.index("-m")], str(program)]
    nothing = subprocess.DEVNULL
    process = subprocess.Popen(command, env=how.environment, stdin=nothing, stdout=nothing, stderr=nothing)
    try:
        yield
    finally:
        end(process)


@contextlib.contextmanager
def _running(processes: int) -> Generator[str]:
    """The address of the query API of a collector that all of them report to."""
    with (
        tempfile.TemporaryDirectory(prefix="peeps-bench-") as directory,
        collector_of_its_own() as addresses,
        contextlib.ExitStack() as all_of_them,
    ):
        program = Path(directory, "program.py")
        program.write_text(_PROGRAM)
        for _ in range(processes):
            all_of_them.enter_context(watched_program(program, addresses))
        _until_seen(addresses["api"], processes)
        yield addresses["api"]


def end(process: subprocess.Popen[Any]) -> None:
    """Ends a process that a bench has started, and waits for it."""
    process.terminate()
    process.wait()


def ask(api: str, path: str, method: str = "GET") -> Any:
    """The JSON of an answer of the query API at this address."""
    request = urllib.request.Request(f"http://{api}{path}", method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def _until_seen(api: str, processes: int) -> None:
    patience = time.monotonic() + _PATIENCE_S
    while True:
        known = ask(api, "/api/processes")["processes"]
        if sum(one.get("nodes", 0) >= 100 for one in known) == processes:
            return
        if time.monotonic() > patience:
            raise Failed(f"only {len(known)} of {processes} processes were seen")
        time.sleep(0.2)


def _cut(api: str) -> tuple[float, int]:
    """Seconds until it was over, and how many had answered."""
    began = time.monotonic()
    cut = ask(api, "/api/cuts", "POST")["cut"]
    while not (answer := ask(api, f"/api/cuts?cut={cut}"))["over"]:
        time.sleep(_POLL_S)
    return time.monotonic() - began, sum(one["state"] == "answered" for one in answer["processes"])


def main(processes: int = 10, cuts: int = 20) -> None:
    with _running(processes) as api:
        found: list[tuple[float, int]] = []
        for _ in range(cuts):
            time.sleep(_BETWEEN_S)
            found.append(_cut(api))
    lasted = [seconds for seconds, _ in found]
    whole = sum(answered == processes for _, answered in found)
    print(f"{cuts} cuts through {processes} processes, {whole} of them answered by all")
    print(f"median {statistics.median(lasted):.3f} s, least {min(lasted):.3f} s, most {max(lasted):.3f} s")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
