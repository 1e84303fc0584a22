# SPDX-License-Identifier: Apache-2.0
"""Functions of libraries that are known to wait by looking round."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import redis.lock

from peeps_otel.probes import polls
from peeps_otel.probes.known_polls import known_poll
from peeps_otel.probes.poll import Asks
from tests.support.waiting import eventually


def test_a_lock_of_redis_asks() -> None:
    assert known_poll(redis.lock.Lock.acquire.__code__).asks is Asks.CODE
    assert known_poll(redis.lock.Lock.release.__code__).asks is None


def test_so_does_a_lock_of_filelock_that_tasks_take() -> None:
    filelock = pytest.importorskip("filelock")
    assert known_poll(filelock.AsyncFileLock.acquire.__code__).asks is Asks.CODE
    assert known_poll(filelock.AsyncFileLock.release.__code__).asks is None


def test_so_do_the_locks_of_fasteners_that_processes_share() -> None:
    fasteners: Any = pytest.importorskip("fasteners")
    assert known_poll(fasteners.InterProcessLock.acquire.__code__).asks is Asks.CODE
    assert known_poll(fasteners.InterProcessLock.release.__code__).asks is None
    assert known_poll(fasteners.InterProcessReaderWriterLock._acquire.__code__).asks is Asks.CODE


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

        def asking(run: polls.Run | None) -> polls.Poll | None:
            found = polls.of_threads({ident: run}).get(ident)
            return found if found is not None and found.asks is Asks.STATE else None

        poll = eventually(lambda: asking(None))  # once it knows for which file: this very process has it
        again = eventually(lambda: asking(poll.run))
        assert again.run == poll.run
        assert poll.at.startswith(__file__)
    thread.join()
    assert done.is_set()


def test_who_tries_for_a_lock_on_a_file_that_another_process_has_asks_somebody_else(tmp_path: Path) -> None:
    filelock = pytest.importorskip("filelock")
    path = str(tmp_path / "a.lock")
    code = f"import fcntl; f = open({path!r}, 'w'); fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); input()"
    command = [sys.executable, "-S", "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdout.readline()
        thread = threading.Thread(target=filelock.FileLock(path).acquire)
        thread.start()
        assert thread.ident is not None
        ident = thread.ident
        assert eventually(lambda: polls.of_threads({ident: None}).get(ident)).asks is Asks.CODE
        other.stdin.close()
    thread.join()


def test_a_task_that_tries_for_a_lock_that_another_task_has_asks_for_what_only_this_program_changes(
    tmp_path: Path,
) -> None:
    filelock = pytest.importorskip("filelock")

    async def want() -> None:
        async with filelock.AsyncFileLock(tmp_path / "a.lock"):
            pass

    async def main() -> polls.Poll | None:
        async with filelock.AsyncFileLock(tmp_path / "a.lock"):
            task = asyncio.create_task(want())
            found = None
            while found is None or found.asks is not Asks.STATE:
                await asyncio.sleep(0.02)
                found = polls.of_task(task, None)
        await task
        return found

    poll = asyncio.run(asyncio.wait_for(main(), 60))
    assert poll is not None
    assert poll.at.startswith(__file__)


_LIBRARY = """
import asyncio

async def answer():
    state = {"turns": 0}
    while True:
        state["turns"] += 1
        if state["turns"] > 1000:
            return state
        await asyncio.sleep(0.01)
"""


@pytest.mark.parametrize(("uses", "is_asked"), [(True, True), (False, False)], ids=["for its answer", "for nothing"])
def test_a_library_that_sleeps_in_each_turn_is_asked_where_its_answer_is_used(
    uses: bool, is_asked: bool, tmp_path: Path
) -> None:
    file = tmp_path / "site-packages" / "jobs" / "client.py"
    library: dict[str, Any] = {}
    exec(compile(_LIBRARY, str(file), "exec"), library)

    async def wants() -> None:
        found = await library["answer"]()
        assert found

    async def runs() -> None:
        await library["answer"]()

    async def main() -> list[polls.Poll | None]:
        task = asyncio.create_task(wants() if uses else runs())
        await asyncio.sleep(0.05)
        first = polls.of_task(task, None)
        await asyncio.sleep(0.05)
        again = polls.of_task(task, None if first is None else first.run)
        task.cancel()
        return [first, again]

    first, again = asyncio.run(main())
    assert (first is not None, again is not None) == (is_asked, is_asked)
    if first is not None and again is not None:
        assert (first.asks, first.run) == (Asks.CODE, again.run)
        assert first.at.rpartition(":")[0] == __file__
