# SPDX-License-Identifier: Apache-2.0
"""One collector for all programs; those that the chosen tests need run side by side, in the order of the tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.catalogue.running import Catalogue


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture
def _no_process_left() -> None:
    """The programs of other tests run side by side with this one's."""


@pytest.fixture(scope="session")
def catalogue(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    running = Catalogue(tmp_path_factory.mktemp("catalogue"))
    calls = (getattr(item, "callspec", None) for item in request.session.items)
    runs = [call.params["run"] for call in calls if call is not None and "run" in call.params]
    running.submit(run for run in runs if run[2].has(run[0].requires))
    yield running
    running.close()
