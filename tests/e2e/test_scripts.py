# SPDX-License-Identifier: Apache-2.0
"""`scripts/run-example` and `scripts/demo`, as typed in a terminal. Afterwards nothing of them may be left."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.e2e_support import ROOT
from tests.support.network import free_address
from tests.support.processes import environment
from tests.support.waiting import PATIENCE_S, eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


class Terminal:
    """Runs scripts; whatever they start, and whatever that starts, carries our mark in its environment."""

    def __init__(self, directory: Path) -> None:
        self.mark = f"PEEPS_TEST_MARK={uuid.uuid4().hex}"
        self.explorer = free_address()
        self.output = directory / "terminal.txt"
        self.settings = environment(
            PEEPS_LISTEN="127.0.0.1:0",
            PEEPS_API="127.0.0.1:0",
            PEEPS_HTTP=self.explorer,
            PEEPS_OTLP_GRPC="off",
            PEEPS_OTLP_HTTP="off",
            PEEPS_NO_OPEN="1",
        ) | dict([self.mark.split("=")])

    def start(self, script: str, *arguments: str, **settings: str) -> subprocess.Popen[bytes]:
        with self.output.open("wb") as output:
            return subprocess.Popen(
                [ROOT / "scripts" / script, *arguments],
                env=self.settings | settings,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, script: str, *arguments: str, **settings: str) -> tuple[int, str]:
        code = self.start(script, *arguments, **settings).wait(PATIENCE_S)
        return code, self.output.read_text()

    def says(self, text: str) -> Callable[[], bool]:
        return lambda: text in self.output.read_text()

    def alive(self) -> dict[int, str]:
        """The command line of each process with our mark, by pid."""
        found: dict[int, str] = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if self.mark.encode() in (process / "environ").read_bytes().split(b"\0"):
                    found[int(process.name)] = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue  # it ended, or is somebody else's
        return found


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path)
    yield made
    for pid in made.alive():
        os.kill(pid, signal.SIGKILL)


def test_the_examples_are_listed(terminal: Terminal) -> None:
    code, output = terminal.run("run-example", "--list")
    assert code == 0
    names = [line.split()[0] for line in output.splitlines()]
    assert names == [
        "channel-full-stall",
        "fastapi-two-way-deadlock",
        "grpc-cancelled-but-running",
        "healthy",
        "lock-order-deadlock",
        "roam-python-node-stuck-request",
        "roam-rpc-stuck-request",
        "semaphore-starvation",
    ]
    assert re.search(r"^lock-order-deadlock +Two tasks take the same two locks", output, re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "words"),
    [("nonsense", "no example has 'nonsense' in its name; there are: channel"), ("l", "could be channel-full-stall, ")],
)
def test_a_name_that_does_not_say_which(terminal: Terminal, name: str, words: str) -> None:
    code, output = terminal.run("run-example", name)
    assert code == 1
    assert words in output
    assert not terminal.alive()


def test_a_port_that_is_in_use(terminal: Terminal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        code, output = terminal.run("run-example", "lock-order", PEEPS_LISTEN=address)
    assert code == 1
    assert f"something already answers at {address} (PEEPS_LISTEN); stop it, or set PEEPS_LISTEN" in output
    assert not terminal.alive()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_an_example_runs_until_it_is_told_to_end(terminal: Terminal, ending: signal.Signals) -> None:
    script = terminal.start("run-example", "starv")
    eventually(lambda: script.poll() is not None or terminal.says("Ctrl-C ends everything")(), "everything runs")
    output = terminal.output.read_text()
    assert "taking semaphore-starvation for 'starv'" in output
    assert f"explorer   http://{terminal.explorer}" in output
    commands = " ".join(terminal.alive().values())
    for part in ("peeps up", "-m peeps_dashboard", "examples/semaphore-starvation.py"):
        assert part in commands
    script.send_signal(ending)
    assert script.wait(PATIENCE_S) == 0
    assert terminal.alive() == {}
    assert "Traceback" not in terminal.output.read_text()


def test_the_collector_dies(terminal: Terminal) -> None:
    script = terminal.start("run-example", "healthy")
    eventually(lambda: script.poll() is not None or terminal.says("Ctrl-C ends everything")(), "everything runs")
    (collector,) = [pid for pid, command in terminal.alive().items() if "peeps up" in command]
    os.kill(collector, signal.SIGKILL)
    assert script.wait(PATIENCE_S) == 1
    assert "run-example: the collector ended with exit code -9" in terminal.output.read_text()
    assert terminal.alive() == {}


def test_the_demo_says_what_is_stuck(terminal: Terminal) -> None:
    script = terminal.start("demo")
    eventually(lambda: script.poll() is not None or terminal.says("Ctrl-C ends everything")(), "the demo has shown it")
    output = terminal.output.read_text()
    assert re.search(r"^DEADLOCK, PROVEN, .* waits for Lock cache, held by worker-b", output, re.MULTILINE)
    assert f"See it in the explorer: http://{terminal.explorer}" in output
    time.sleep(1)
    assert script.poll() is None, "it stays"
    script.send_signal(signal.SIGINT)
    assert script.wait(PATIENCE_S) == 0
    assert terminal.alive() == {}
