# SPDX-License-Identifier: Apache-2.0
"""Nothing here is mocked: every test has a collector, programs, and where it says so a browser, all real processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Test modules are imported one by one (--import-mode=importlib); what they share must be found by name. At the end:
# other folders have a conftest too, and find it by that name.
sys.path.append(str(Path(__file__).parent))

from e2e_support import EXAMPLES, Collector, Program, end, start_program

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

    def begin(**settings: str) -> Collector:
        started.append(Collector(tmp_path, settings))
        return started[-1]

    yield begin
    for collector in started:
        end(collector.process)


@pytest.fixture
def collector(start: Start) -> Collector:
    return start()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Watch]:
    """Starts a program, by its path or as the name of an example, with the environment variables that are given."""
    started: list[Program] = []

    def begin(what: str | Path, *arguments: str, **settings: str) -> Program:
        path = what if isinstance(what, Path) else EXAMPLES / f"{what}.py"
        started.append(start_program(path, tmp_path, settings, *arguments))
        return started[-1]

    yield begin
    for program in started:
        end(program.process)


@pytest.fixture
def watch(run: Watch, collector: Collector) -> Watch:
    """Starts a program that reports to `collector`."""

    def begin(what: str | Path, *arguments: str, **settings: str) -> Program:
        return run(what, *arguments, **({"PEEPS_DASHBOARD": collector.otlp} | settings))

    return begin


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = os.environ.get("PEEPS_CHROMIUM", "/usr/bin/chromium")
    if not Path(chromium).exists():
        message = f"no Chromium at {chromium}; set PEEPS_CHROMIUM"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield made
        made.close()
