# SPDX-License-Identifier: Apache-2.0
"""What a process is called by the library that has made it."""

from __future__ import annotations

import multiprocessing
import multiprocessing.process

import pytest

from peeps_otel.probes.internals.sharing import own_name


def test_a_process_that_nobody_has_made_has_no_name() -> None:
    assert own_name() == ""


def test_a_worker_of_celery_says_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """billiard puts its process in the place of that of `multiprocessing`, and tells nothing of a parent there."""
    worker = multiprocessing.Process(name="ForkPoolWorker-3")
    monkeypatch.setattr(multiprocessing.process, "_current_process", worker)
    assert own_name() == "ForkPoolWorker-3"
