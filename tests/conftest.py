# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gc
import os
import re
import sys
from collections import defaultdict
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.support.examples import register
from tests.support.leftovers import no_process_left

register()

# Some images set it. Then each of the hundreds of processes that the tests start compiles everything again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

_ALL_SLOW = re.compile(r"^pytestmark = .*\bpytest\.mark\.slow\b", re.MULTILINE)
_COSTS = {"collector": 1.0, "start": 2.0, "shared": 0.2, "watch": 2.0}
"""About how long a test takes that has one of these fixtures, in seconds; others are counted as nearly nothing."""
_SLOW = 5.0
_LONG = {
    "collector/test_commands.py": 12,
    "collector/test_kept_past.py": 4,
    "collector/test_mcp.py": 20,
    "collector/test_recording.py": 6,
    "collector/test_reduction.py": 5,
    "collector/test_retention.py": 5,
    "collector/test_span_columns.py": 10,
    "collector/test_turns.py": 4,
    "collector/test_upkeep.py": 4,
    "dashboard/test_component.py": 12,
    "dashboard/test_pages.py": 15,
    "diagnosis/test_reduction.py": 4,
    "dump/test_dumps.py": 8,
    "export/test_own_providers.py": 20,
    "local/test_exit_signal.py": 15,
    "local/test_verdict.py": 6,
    "packaging/test_lazy_imports.py": 8,
    "probes/test_ends.py": 15,
    "probes/test_gevent.py": 5,
    "probes/test_native_heap.py": 12,
    "probes/test_pool_workers.py": 6,
    "providers/test_postgresql.py": 6,
    "run/test_run.py": 8,
    "test_layers.py": 8,
    "watchdog/test_evidence.py": 15,
    "watcher/test_for_a_processor.py": 5,
    "watcher/test_history.py": 17,
    "watcher/test_stalls.py": 12,
    "watcher/test_standstill.py": 9,
    "watcher/test_switches.py": 5,
}
"""Files that take long though their tests have none of these, in seconds. The order alone depends on it."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Files whose tests are all slow are not even imported where no slow ones are wanted: each worker would load what
    they need, database clients and others, for nothing."""
    if config.getoption("markexpr") != "not slow" or not collection_path.name.startswith("test_"):
        return None
    return bool(_ALL_SLOW.search(collection_path.read_text(encoding="utf-8"))) or None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Hardly anything of what is made meanwhile is garbage: to look for some is a sixth of what it takes."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files first, so that in the end no worker has one that the others wait for."""
    costs: defaultdict[Path, float] = defaultdict(float)
    for item in items:
        fixtures: list[str] = getattr(item, "fixturenames", [])
        slow = _SLOW if item.get_closest_marker("slow") is not None else 0.0
        costs[item.path] += slow + max((_COSTS.get(name, 0.03) for name in fixtures), default=0.03)
    for name, seconds in _LONG.items():
        costs[Path(__file__).parent / name] += seconds
    items.sort(key=lambda item: -costs[item.path])


def pytest_collection_finish() -> None:
    """What pytest and the modules of the tests keep is no longer searched: whoever collects garbage or asks the heap
    would walk through it each time. To the questions of the heap such objects are like those of C code: they may use
    whatever they have."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_process_left() -> Iterator[None]:
    with no_process_left():
        yield
