# SPDX-License-Identifier: Apache-2.0
"""A collector started as a process of its own. For everything in this repository that starts one: the tests, the
benchmark and the scripts. The standard library only, on any Python from 3.9 on, because scripts may be started before
there is a `.venv`."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

START_SECONDS = 60.0
_POLL_SECONDS = 0.05


class Ended(Exception):
    """The collector has ended, or has not got ready in time; for the user, in one line."""


def on_free_ports(database: Path) -> dict[str, str]:
    """Settings of a collector that is in nobody's way: ports that the kernel chooses, and none for other senders."""
    return {
        "PEEPS_LISTEN": "127.0.0.1:0",
        "PEEPS_API": "127.0.0.1:0",
        "PEEPS_OTLP_GRPC": "off",
        "PEEPS_OTLP_HTTP": "off",
        "PEEPS_DB": str(database),
    }


def addresses(process: subprocess.Popen[bytes], ready: Path) -> dict[str, Any] | None:
    """Where it listens: `api`, `grpc`, `http`; None until it has written that to `ready`. Raises Ended."""
    if ready.exists():
        return json.loads(ready.read_text(encoding="utf-8"))
    if process.poll() is not None:
        raise Ended(f"the collector ended with exit code {process.returncode}")
    return None


class CollectorProcess:
    """It is started when this is made. `program`: what runs `peeps`; `ready`: a file that is not there yet, which it
    writes once it listens. `before_exec`: runs in the new process. `apart`: in a session of its own, out of reach of
    Ctrl-C."""

    def __init__(
        self,
        program: Sequence[str],
        ready: Path,
        environment: Mapping[str, str],
        command: str = "collector",
        stdout: int | IO[bytes] | None = subprocess.DEVNULL,
        stderr: IO[bytes] | None = None,
        before_exec: Callable[[], object] | None = None,
        apart: bool = False,
    ) -> None:
        self._ready = ready
        self.process: subprocess.Popen[bytes] = subprocess.Popen(
            [*program, command, "--ready-file", str(ready)],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            preexec_fn=before_exec,
            start_new_session=apart,
        )

    def addresses(self) -> dict[str, Any] | None:
        """Where it listens: `api`, `grpc`, `http`; None until it does. Raises Ended."""
        return addresses(self.process, self._ready)

    def wait(self, seconds: float = START_SECONDS) -> dict[str, Any]:
        """`addresses`, once it listens. Raises Ended; it may still run then."""
        end = time.monotonic() + seconds
        while (found := self.addresses()) is None:
            if time.monotonic() > end:
                raise Ended(f"the collector did not get ready within {seconds:.0f} s")
            time.sleep(_POLL_SECONDS)
        return found
