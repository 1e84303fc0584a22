# SPDX-License-Identifier: Apache-2.0
"""A program under `opentelemetry-instrument`, as a user would start it."""

from __future__ import annotations

import ast
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from . import instrumentations
from .processes import end, environment
from .waiting import PATIENCE_S, eventually


class Program:
    """Runs, or has ended. What it prints is kept in `directory`, which is also its working directory.

    `command`: the script and its arguments. `settings`: environment variables; nothing but ours is exported unless they
    say so. It is a session of its own: `kill` ends it with all that it started.
    """

    def __init__(
        self, service: str, command: list[str], directory: Path, python: str = sys.executable, **settings: str
    ) -> None:
        self.name = service
        self.path = Path(command[0])
        self.started = time.monotonic()
        self._output = directory / f"{service}.txt"
        variables = {f"OTEL_{signals}_EXPORTER": "none" for signals in ("TRACES", "METRICS", "LOGS")}
        variables |= {"PYTHONUNBUFFERED": "1"} | instrumentations.settings(self.path) | settings
        instrument = Path(python).with_name("opentelemetry-instrument")
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [instrument, "--service_name", service, python, *command],
                env=environment(**variables),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=directory,
                start_new_session=True,
            )

    def output(self) -> str:
        """What it has printed so far."""
        return self._output.read_text(errors="replace")

    def until_it_speaks(self) -> None:
        """Until it has printed `<name>:`, which is how an example says that it is at work; `started` is this moment."""

        def speaks() -> bool:
            assert self.process.poll() is None, self.output()
            return f"{self.name}:" in self.output()

        try:
            eventually(speaks, f"{self.name} starts")
        except BaseException:
            self.kill()
            raise
        self.started = time.monotonic()

    def line(self, function: str, text: str) -> str:
        return source_line(self.path, function, text)

    def interrupt(self) -> str:
        """Ctrl-C; what it printed."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE_S)
        return self.output()

    def end(self) -> None:
        """Asks it to end, then `kill`s what is left."""
        end(self.process)
        self.kill()

    def kill(self) -> None:
        """Ends it whatever its state, with all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def source_line(path: Path, function: str, text: str) -> str:
    """`file.py:12`: the one line in `function` (`` for the module) of `path` with `text` in it."""
    lines = path.read_text().splitlines()
    first, last = 1, len(lines)
    if function:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == function:
                first, last = node.lineno, node.end_lineno or last
                break
        else:
            raise AssertionError(f"no function {function} in {path}")
    found = [number for number in range(first, last + 1) if text in lines[number - 1]]
    assert len(found) == 1, f"{text!r} is on lines {found} of {function} in {path}"
    return f"{path}:{found[0]}"
