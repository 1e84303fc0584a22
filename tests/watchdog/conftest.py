# SPDX-License-Identifier: Apache-2.0
"""Real programs with real sidecars, and a receiver of what those say."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.watchdog.watchdog_support import Program, Receiver

Run = Callable[..., Program]

if sys.platform != "linux":
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    yield one
    one.close()


@pytest.fixture
def run(receiver: Receiver, tmp_path: Path) -> Iterator[Run]:
    """Starts a program that is watched; its text follows a prologue that starts the watchdog."""
    started: list[Program] = []

    def begin(text: str) -> Program:
        started.append(Program(text, tmp_path, receiver.endpoint))
        return started[-1]

    yield begin
    for program in started:
        program.kill()
