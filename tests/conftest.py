# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.examples import register
from tests.support.leftovers import no_process_left

register()

# Some images set it. Then each of the hundreds of processes that the tests start compiles everything again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

_COSTS = {"collector": 1.0, "start": 2.0, "shared": 0.2, "watch": 2.0}
"""About how long a test takes that has one of these fixtures, in seconds; others are counted as a tenth of one."""
_SLOW = 5.0


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files first, so that in the end no worker has one that the others wait for."""
    costs: defaultdict[Path, float] = defaultdict(float)
    for item in items:
        fixtures: list[str] = getattr(item, "fixturenames", [])
        slow = _SLOW if item.get_closest_marker("slow") is not None else 0.0
        costs[item.path] += slow + max((_COSTS.get(name, 0.1) for name in fixtures), default=0.1)
    items.sort(key=lambda item: -costs[item.path])


@pytest.fixture(autouse=True)
def _no_process_left() -> Iterator[None]:
    with no_process_left():
        yield
