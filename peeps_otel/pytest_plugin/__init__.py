# SPDX-License-Identifier: Apache-2.0
"""The plugin for pytest: a test that hangs says who waits for whom. See docs/pytest.md.

pytest loads this module in every run, so it imports nothing of ours until a test's time is nearly over or an option
asks for it.
"""

from __future__ import annotations

import pytest

from .lock_order import no_deadlock_risk
from .options import add_options, settings
from .rewriting import leave_as_it_is
from .tests import WatchedTests

__all__ = ["no_deadlock_risk", "pytest_addoption", "pytest_configure"]


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    leave_as_it_is(config)
    config.pluginmanager.register(WatchedTests(settings(config), config), "peeps-tests")
