# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.patches.recorder import Recorder
from tests.probes.program import kept
from tests.support.leftovers import no_thread_left


@pytest.fixture(autouse=True)
def _let_go() -> Iterator[None]:
    # aiosqlite has a thread for each connection, which stays where SQLAlchemy loses one in a cancellation.
    with no_thread_left("(_connection_worker_thread)"):
        yield
        kept.clear()


@pytest.fixture
def probe() -> Iterator[AsyncioProbe]:
    """Installed, and uninstalled again."""
    one = AsyncioProbe(Recorder(10_000_000))
    one.install()
    yield one
    one.uninstall()


@pytest.fixture(params=["asyncio", "uvloop"])
def loop_kind(request: pytest.FixtureRequest) -> str:
    if request.param == "uvloop" and importlib.util.find_spec("uvloop") is None:
        pytest.skip("uvloop is not installed")
    return request.param
