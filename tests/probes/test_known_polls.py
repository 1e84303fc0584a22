# SPDX-License-Identifier: Apache-2.0
"""Functions of libraries that are known to wait by looking round."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import redis.lock

from peeps_otel.probes import polls
from peeps_otel.probes.known_polls import known_poll
from peeps_otel.probes.poll_loops import Asks
from tests.support.waiting import eventually


def test_a_lock_of_redis_asks() -> None:
    assert known_poll(redis.lock.Lock.acquire.__code__).asks is Asks.CODE
    assert known_poll(redis.lock.Lock.release.__code__).asks is None


def test_so_does_a_lock_of_filelock_that_tasks_take() -> None:
    filelock = pytest.importorskip("filelock")
    assert known_poll(filelock.AsyncFileLock.acquire.__code__).asks is Asks.CODE
    assert known_poll(filelock.AsyncFileLock.release.__code__).asks is None


def test_a_function_of_that_name_elsewhere_is_none() -> None:
    here = redis.lock.Lock.acquire.__code__.replace(co_filename="/srv/app/lock.py")
    assert known_poll(here).asks is None


def test_one_call_of_it_is_one_run(tmp_path: Path) -> None:
    filelock = pytest.importorskip("filelock")
    path, done = str(tmp_path / "a.lock"), threading.Event()

    def want() -> None:
        with filelock.FileLock(path):
            done.set()

    with filelock.FileLock(path):
        thread = threading.Thread(target=want)
        thread.start()
        assert thread.ident is not None
        ident = thread.ident
        poll = eventually(lambda: polls.of_threads({ident: None}).get(ident))
        again = eventually(lambda: polls.of_threads({ident: poll.run}).get(ident))
        assert (poll.asks, again.run) == (Asks.CODE, poll.run)
        assert poll.at.startswith(__file__)
    thread.join()
    assert done.is_set()
