# SPDX-License-Identifier: Apache-2.0
"""Nothing here is mocked: every test has a collector, programs, and where it says so a browser, all real processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.e2e_support import EXAMPLES, Collector
from tests.support.explorer import chromium
from tests.support.program import Program

Start = Callable[..., Collector]
Watch = Callable[..., Program]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts collectors; all use the same database file. PEEPS_ variables may be given."""
    started: list[Collector] = []

    def begin(**settings: Any) -> Collector:
        started.append(Collector(tmp_path, **settings))
        return started[-1]

    yield begin
    for collector in started:
        collector.end()


@pytest.fixture
def collector(start: Start) -> Collector:
    return start()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Watch]:
    """Starts a program, by its path or as the name of an example, with the environment variables that are given."""
    started: list[Program] = []

    def begin(what: str | Path, *arguments: str, **settings: str) -> Program:
        path = what if isinstance(what, Path) else EXAMPLES / f"{what}.py"
        started.append(Program(path.stem, [str(path), *arguments], tmp_path, **settings))
        started[-1].until_it_speaks()
        return started[-1]

    yield begin
    for program in started:
        program.end()


@pytest.fixture
def watch(run: Watch, collector: Collector) -> Watch:
    """Starts a program that reports to `collector`. The heap is only asked where a story says so: its verdicts come
    beside, or in place of, those that the story is about."""

    def begin(what: str | Path, *arguments: str, **settings: str) -> Program:
        defaults = {"PEEPS_COLLECTOR_ENDPOINT": collector.otlp, "PEEPS_HEAP": "false"}
        return run(what, *arguments, **(defaults | settings))

    return begin


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as made:
        yield made
