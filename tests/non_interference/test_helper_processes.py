# SPDX-License-Identifier: Apache-2.0
"""Processes that run no code of the program are not watched."""

from __future__ import annotations

import pytest

from peeps_otel.agent import is_helper_process


@pytest.mark.parametrize(
    ("arguments", "helper"),
    [
        (["python", "app.py"], False),
        (["python", "-m", "uvicorn", "app:app"], False),
        (["python", "-c", "from multiprocessing.resource_tracker import main;main(9)"], True),
        # An instrumented program starts another one: the launcher is instrumented by what it has inherited.
        (["/srv/venv/bin/python", "/srv/venv/bin/opentelemetry-instrument", "python", "app.py"], True),
        (["python", "read.py", "opentelemetry-instrument"], False),
    ],
)
def test_a_helper_is_known_by_its_arguments(arguments: list[str], helper: bool) -> None:
    assert is_helper_process(arguments) is helper
