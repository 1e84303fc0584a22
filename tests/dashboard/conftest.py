# SPDX-License-Identifier: Apache-2.0
"""A fake collector for every test that wants one, the explorer as a real process, and a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from peeps_dashboard.client import OF_ALL
from tests.dashboard.fake_api import FakeApi
from tests.dashboard.visit import Visit
from tests.support.explorer import chromium, running_explorer


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    server = FakeApi()
    monkeypatch.setenv("PEEPS_API", server.address)
    monkeypatch.setattr(OF_ALL, "kept_s", 0.0)  # a test shows one world after the other
    yield server
    server.close()


@pytest.fixture(scope="module")
def shared_api() -> Iterator[FakeApi]:
    server = FakeApi("mixed")
    yield server
    server.close()


@pytest.fixture(scope="module")
def explorer(shared_api: FakeApi) -> Iterator[str]:
    """The address of a running explorer that reads `shared_api`."""
    with running_explorer(shared_api.address) as (address, _):
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as made:
        yield made


@pytest.fixture
def visit(browser: Any) -> Iterator[Any]:
    made: list[Visit] = []

    def start(scheme: str = "light") -> Visit:
        made.append(Visit(browser, scheme))
        return made[-1]

    yield start
    for each in made:
        each.context.close()
