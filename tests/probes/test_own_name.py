# SPDX-License-Identifier: Apache-2.0
"""What a process is called by the library that has made it."""

from __future__ import annotations

import multiprocessing
import multiprocessing.process
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from peeps_otel import semconv
from peeps_otel.probes.internals.sharing import own_name
from tests.probes.threads_world import world


def test_a_process_that_nobody_has_made_has_no_name() -> None:
    assert own_name() == ""


def test_a_worker_of_celery_says_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """billiard puts its process in the place of that of `multiprocessing`, and tells nothing of a parent there."""
    worker = multiprocessing.Process(name="ForkPoolWorker-3")
    monkeypatch.setattr(multiprocessing.process, "_current_process", worker)
    assert own_name() == "ForkPoolWorker-3"


def test_a_process_that_is_told_its_name_after_it_was_first_looked_at_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is spawned: the interpreter has begun long before."""
    main = threading.main_thread().name
    with world() as made, ThreadPoolExecutor(1) as looks:  # not by this thread, which would not see itself

        def seen_as(name: str | None) -> None:
            looks.submit(
                made.until, lambda seen: seen.thread(main).attributes.get(semconv.THREAD_PROCESS) == name
            ).result()

        seen_as(None)
        worker = multiprocessing.Process(name="refresher")
        monkeypatch.setattr(multiprocessing.process, "_current_process", worker)
        seen_as("refresher")
