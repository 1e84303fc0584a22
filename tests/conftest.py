# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.examples import register
from tests.support.leftovers import no_process_left

register()

# Some images set it. Then each of the hundreds of processes that the tests start compiles everything again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

_HAS_A_COLLECTOR_EACH = Path(__file__).parent / "collector"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files first, so that in the end no worker has one that the others wait for."""
    slow = {item.path for item in items if item.get_closest_marker("slow") is not None}
    items.sort(key=lambda item: (item.path not in slow, _HAS_A_COLLECTOR_EACH not in item.path.parents))


@pytest.fixture(autouse=True)
def _no_process_left() -> Iterator[None]:
    with no_process_left():
        yield
