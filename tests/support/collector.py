# SPDX-License-Identifier: Apache-2.0
"""A collector as a real process, on ports of its own, with a database file of its own."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts.collector_process import CollectorProcess, Ended, addresses, on_free_ports

from .fork_server import Forked
from .network import http
from .processes import end, environment, run_peeps
from .waiting import PATIENCE_S, eventually

_NUMBERS = itertools.count(1)


class Collector:
    """It answers from the moment it is made. What it writes is kept in `directory`.

    `settings`: PEEPS_ variables, before those of our own. `command`: `collector` or `up`. `database`: one that is there
    already, or is to be kept; by default `directory`/peeps.duckdb, which several after each other share. `before_exec`:
    runs in the new process. AssertionError, with what it wrote, where it does not get ready.
    """

    forked = False
    """Whether it and its clients are forked from a process that has imported them, where that can be: much quicker, but
    not as a user starts them."""

    def __init__(
        self,
        directory: Path,
        command: str = "collector",
        database: Path | None = None,
        before_exec: Callable[[], None] | None = None,
        **settings: str,
    ) -> None:
        stem = f"collector-{next(_NUMBERS)}"
        ready = directory / f"{stem}.json"
        self._output, self._errors = directory / f"{stem}.out.txt", directory / f"{stem}.err.txt"
        self.database = database or directory / "peeps.duckdb"
        with (
            Path(os.devnull).open("rb") as nothing,
            self._output.open("wb") as output,
            self._errors.open("wb") as errors,
        ):
            variables = environment(**(on_free_ports(self.database) | settings))
            if self.forked and before_exec is None and sys.platform == "linux":
                process = Forked([command, "--ready-file", str(ready)], variables, nothing, output, errors)
            else:
                program = [sys.executable, "-m", "peeps_collector"]
                process = CollectorProcess(program, ready, variables, command, output, errors, before_exec).process
        self.process: subprocess.Popen[bytes] = process
        try:
            self.ready: dict[str, Any] = eventually(lambda: addresses(process, ready), "the collector is ready")
        except Ended:
            end(self.process)
            raise AssertionError(self.output() + self.errors()) from None
        except BaseException:
            end(self.process)
            raise
        self.api: str = self.ready["api"]
        self.otlp: str = self.ready["grpc"][0]

    def output(self) -> str:
        """What it has written so far."""
        return self._output.read_text()

    def errors(self) -> str:
        return self._errors.read_text()

    def get(self, path: str) -> Any:
        """An answer of its query API. AssertionError where that is an error."""
        answer = http(f"http://{self.api}{path}")
        assert answer.status == 200, answer.body
        return answer.json()

    def sql(self, statement: str, *parameters: Any) -> list[list[Any]]:
        """Rows of its tables, through the API."""
        body = json.dumps({"sql": statement, "parameters": list(parameters)}).encode()
        answer = http(f"http://{self.api}/api/sql", body)
        assert answer.status == 200, answer.body
        return answer.json()["rows"]

    def peeps(self, *arguments: str, input: str = "") -> subprocess.CompletedProcess[str]:
        """The `peeps` command as a client of this collector."""
        return run_peeps(arguments, {"PEEPS_API": self.api}, input, self.forked)

    def stop(self) -> str:
        """Ends it as an operator would, with SIGTERM; what it wrote on stderr."""
        self.process.terminate()
        assert self.process.wait(PATIENCE_S) == 0, self.errors()
        return self.errors()

    def end(self) -> None:
        """Ends it whatever its state."""
        end(self.process)
