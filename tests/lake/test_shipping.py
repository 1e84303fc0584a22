# SPDX-License-Identifier: Apache-2.0
"""Batches on their way into the lake, and what is done there with what is small or old."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.lake import shipping_stories
from tests.support.lake import Lake
from tests.support.processes import environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("story", [story.__name__ for story in shipping_stories.STORIES])
def test_it_is_so(lake: Lake, story: str) -> None:
    words = [sys.executable, "-m", "tests.lake.shipping_stories", story, lake.catalog, str(lake.directory)]
    variables = {name: value for name, value in lake.settings().items() if not name.startswith("PEEPS_")}
    done = subprocess.run(words, env=environment(**variables), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
