# SPDX-License-Identifier: Apache-2.0
"""One script in several processes that report to one collector."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.e2e.e2e_support import Collector
from tests.support.processes import environment


@contextmanager
def together(
    script: Path, arguments: Mapping[str, Sequence[str]], collector: Collector, folder: Path
) -> Generator[None]:
    """`arguments`: by a name for each process, after which the file of its output in `folder` is called. At the end all
    are killed, with what they have started."""
    settings = environment(PEEPS_COLLECTOR_ENDPOINT=collector.otlp, PEEPS_CPU_BUDGET_PERCENT="0")
    started: list[subprocess.Popen[bytes]] = []
    try:
        for name, given in arguments.items():
            with (folder / f"{name}.txt").open("wb") as output:
                process = subprocess.Popen(
                    [sys.executable, str(script), *given],
                    env=settings,
                    start_new_session=True,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            started.append(process)
        yield
    finally:
        for process in started:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
