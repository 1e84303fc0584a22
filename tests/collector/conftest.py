# SPDX-License-Identifier: Apache-2.0
"""A collector in a subprocess, on ports of its own, with a database file of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.collector.collector_support import Deadlock, Program, Running
from tests.support.waiting import eventually

Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts collectors, with what `Running` takes after the directory. What it started it stops."""
    started: list[Running] = []

    def begin(command: str = "collector", database: Path | None = None, **settings: Any) -> Running:
        started.append(Running(tmp_path, command, database, **settings))
        return started[-1]

    yield begin
    for collector in started:
        collector.end()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One collector for the tests of a module that do not care what others sent."""
    running = Running(tmp_path_factory.mktemp("shared"))
    yield running
    running.end()


@pytest.fixture
def collector(start: Start) -> Running:
    return start()


@pytest.fixture(scope="module")
def deadlocked(shared: Running) -> Callable[[], Running]:
    """Has `shared` hear anew of a program that it has found stuck: who says nothing for a minute is gone."""
    program, deadlock = Program(), Deadlock()
    nodes, edges = deadlock.graph()

    def heard() -> Running:
        shared.send(program.snapshot(nodes, edges, key_frame=True))

        def found() -> bool:
            shared.send(program.snapshot([]))
            return bool(shared.get("/api/findings")["verdict"]["stuck"])

        eventually(found)
        return shared

    return heard


@pytest.fixture
def with_a_deadlock(deadlocked: Callable[[], Running]) -> Running:
    """`shared`, with a program that it has found stuck."""
    return deadlocked()
