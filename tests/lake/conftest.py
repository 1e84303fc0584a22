# SPDX-License-Identifier: Apache-2.0
"""One PostgreSQL for all tests here, a database and a folder for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases import postgres
from tests.support.lake import Lake, install, new_database


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DuckDB of the extra, with its extensions."""
    folder = tmp_path_factory.mktemp("lake-packages")
    install(folder)
    return folder


@pytest.fixture(scope="session")
def server() -> Iterator[int]:
    """The port of PostgreSQL."""
    with postgres() as port:
        if port is None:
            pytest.skip("there is no PostgreSQL here")
        yield port


@pytest.fixture
def lake(server: int, packages: Path, tmp_path: Path) -> Iterator[Lake]:
    """What a test starts of it ends with it."""
    one = Lake(tmp_path, new_database(server), packages)
    yield one
    for collector in one.started:
        collector.end()
