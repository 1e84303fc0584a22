# SPDX-License-Identifier: Apache-2.0
"""A build without the GIL is left alone, and one line says so."""

from __future__ import annotations

import logging
import sys

import pytest

from peeps_otel import agent, instrumentor, interpreter_internals
from peeps_otel.interpreter_internals import FREE_THREADED, is_free_threaded


def test_neither_door_lets_us_into_a_free_threaded_build(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for module in (agent, instrumentor):
        monkeypatch.setattr(module, "is_free_threaded", lambda: True)
    monkeypatch.setenv("PEEPS_ENABLED", "true")
    with caplog.at_level(logging.WARNING, "peeps_otel"):
        instrumentor.post_instrument()
        assert (agent.start({}), agent.start({}), agent.running()) == (None, None, None)
    assert [record.getMessage() for record in caplog.records] == [FREE_THREADED] * 2  # one for each door


@pytest.mark.parametrize(
    ("version", "has_gil", "expected"),
    [
        ("3.13.0 (main, Oct  7 2024) [GCC 13.2.0]", True, False),
        ("3.13.0 experimental free-threading build (main, Oct  7 2024) [GCC 13.2.0]", False, True),
        ("3.14.0 free-threading build (main, Oct  7 2025) [GCC 15.2.0]", True, True),  # PYTHON_GIL=1
        ("3.15.0 (main)", False, True),
    ],
)
def test_a_build_is_free_threaded_also_where_it_has_switched_the_gil_on(
    monkeypatch: pytest.MonkeyPatch, version: str, has_gil: bool, expected: bool
) -> None:
    monkeypatch.setattr(interpreter_internals.sys, "version", version)
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: has_gil, raising=False)
    assert is_free_threaded() is expected
