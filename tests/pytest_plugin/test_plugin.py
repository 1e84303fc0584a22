# SPDX-License-Identifier: Apache-2.0
"""A test run that hangs, as its author meets it: with pytest-timeout, pytest-asyncio, AnyIO's plugin and xdist."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.support.processes import environment
from tests.support.waiting import eventually

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.slow

HANGING = """
import asyncio, threading, time

import anyio
import pytest

async def transfer(first, second):
    async with first:
        await asyncio.sleep(0.05)
        async with second:
            pass

@pytest.mark.asyncio
@pytest.mark.timeout(12)
async def test_tasks():
    left, right = asyncio.Lock(), asyncio.Lock()
    await asyncio.gather(transfer(left, right), transfer(right, left))

@pytest.mark.timeout(12)
def test_threads():
    left, right = threading.Lock(), threading.Lock()

    def other():
        with right:
            time.sleep(0.1)
            with left:
                pass

    with left:
        threading.Thread(target=other, name="other", daemon=True).start()
        time.sleep(0.3)
        with right:
            pass

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.mark.anyio
@pytest.mark.timeout(12)
async def test_an_event_that_nobody_sets():
    never = anyio.Event()
    await never.wait()

def test_quick():
    assert threading.active_count() < 10
"""


def _section(output: str, test: str) -> str:
    """What the failure of one test says under our heading."""
    report = re.split(rf"_+ {test} _+\n", output)[1].split("\n____")[0]
    return report.split("peeps: who waits for whom")[1] if "peeps: who waits" in report else ""


def test_a_test_that_times_out_says_who_waits_for_whom(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_shop=HANGING)
    result = pytester.runpytest_subprocess(
        "-n2", "--tb=short", "--junitxml=report.xml", "--show-capture=no", timeout=90
    )
    result.assert_outcomes(failed=3, passed=1)
    output = result.stdout.str()
    tasks, threads, event = (
        _section(output, name) for name in ("test_tasks", "test_threads", "test_an_event_that_nobody_sets")
    )
    assert re.search(
        r"DEADLOCK, PROVEN, .*transfer \(Task-\d+\) waits for Lock (first|second), held by transfer", tasks
    )
    assert "Open: test_shop.py:9" in tasks
    assert re.search(r"DEADLOCK, (PROVEN|LIKELY), .*(other|MainThread) waits for Lock (left|right)", threads)
    assert "test_shop.py:42" in event
    assert "waits are at least as old as said." in event
    assert "DEADLOCK, PROVEN" in (pytester.path / "report.xml").read_text(encoding="utf-8")


def test_pytest_timeout_ends_the_run_by_its_thread(pytester: pytest.Pytester) -> None:
    """It stops the process at once, so the verdict is written before that."""
    pytester.makepyfile(test_shop=HANGING)
    result = pytester.runpytest_subprocess("-k", "test_tasks", "--timeout-method=thread", timeout=90)
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*peeps: who waits for whom*", "DEADLOCK, PROVEN, *transfer*waits for Lock*"])


OWN_LIMITS = """
import asyncio, queue, threading
from concurrent.futures import ThreadPoolExecutor

import pytest

async def transfer(first, second):
    async with first:
        async with second:
            pass

def test_stands():
    queue.Queue().get()

@pytest.mark.asyncio
async def test_leaves_a_task():
    asyncio.create_task(asyncio.Event().wait(), name="forgotten")
    await asyncio.sleep(0.01)

def test_leaves_a_thread():
    threading.Thread(target=threading.Event().wait, name="forgotten thread", daemon=True).start()

@pytest.mark.asyncio
async def test_lock_order(no_deadlock_risk):
    left, right = asyncio.Lock(), asyncio.Lock()
    await asyncio.create_task(transfer(left, right))
    await asyncio.create_task(transfer(right, left))

@pytest.mark.asyncio
async def test_its_own_limit():
    left, right = asyncio.Lock(), asyncio.Lock()
    async with left, right:
        async with asyncio.timeout(2):
            await transfer(left, right)

@pytest.fixture
def pool():
    with ThreadPoolExecutor(2) as executor:
        yield executor

@pytest.fixture
def server():
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    yield
    stop.set()
    thread.join()

def test_tidy(pool, server):
    assert pool.submit(lambda: 1).result() == 1

@pytest.mark.asyncio
async def test_tidy_tasks(no_deadlock_risk):
    lock = asyncio.Lock()
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(transfer(lock, asyncio.Lock()))
"""


def test_limits_and_leftovers_that_are_asked_for(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_shop=OWN_LIMITS)
    result = pytester.runpytest_subprocess("--peeps-timeout=8", "--peeps", "--peeps-strict", "--tb=short", timeout=110)
    result.assert_outcomes(failed=3, errors=2, passed=4)
    output = result.stdout.str()
    assert "Failed: Timeout: the test took more than 8 s" in output
    assert "test_shop.py:12" in _section(output, "test_stands")
    assert re.search(
        r"the test left 1 task waiting:\n  forgotten has waited for .* in asyncio, started at test_shop.py:16", output
    )
    assert re.search(r"the test left 1 thread waiting:\n  forgotten thread has waited for ", output)
    assert "order risk: Lock left before Lock right" in output or "order risk: Lock right before Lock left" in output
    assert "test_its_own_limit (Task-" in _section(output, "test_its_own_limit")


def test_what_passes_costs_and_says_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_shop="""
        import sys, threading

        import pytest

        @pytest.mark.timeout(60)
        def test_loads_nothing():
            assert "opentelemetry" not in sys.modules
            assert not [name for name in sys.modules if name.startswith("peeps_otel.probes.asyncio")]
            assert threading.active_count() == 1
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:anyio", "-p", "no:xdist", timeout=60)
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*peeps: who*")


@pytest.mark.parametrize("text", ["soon", "-1", "nan"])
def test_a_limit_that_is_none(pytester: pytest.Pytester, text: str) -> None:
    result = pytester.runpytest_subprocess(f"--peeps-timeout={text}", timeout=60)
    result.stderr.fnmatch_lines([f"*--peeps-timeout='{text}' must be a number of seconds, 0 for no limit*"])


def test_a_limit_in_the_configuration(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\npeeps_timeout = 3\n")
    pytester.makepyfile(test_shop="import threading\n\n\ndef test_stands():\n    threading.Event().wait()\n")
    result = pytester.runpytest_subprocess("-p", "no:timeout", "--tb=short", timeout=60)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Timeout: the test took more than 3 s*", "*peeps: who waits for whom*"])


OUTLIVES = """
import asyncio, threading

import pytest

never = threading.Event()

def work():
    never.wait()

@pytest.fixture
def pool():
    worker = threading.Thread(target=work, name="worker")
    worker.start()
    yield worker
    worker.join()  # the teardown hangs

def test_fixture(pool):
    never.wait()

def test_finally():
    try:
        never.wait()
    finally:
        never.wait()  # its own clean-up hangs
"""


@pytest.mark.parametrize(("test", "line"), [("test_fixture", 8), ("test_finally", 24)])
@pytest.mark.parametrize("limit", ["--timeout=4", "--peeps-timeout=4"])
def test_what_hangs_after_its_limit_is_told_while_it_hangs(
    pytester: pytest.Pytester, test: str, line: int, limit: str
) -> None:
    """There is no report: somebody kills the run."""
    file = pytester.makepyfile(test_shop=OUTLIVES)
    output = pytester.path / "output.txt"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", limit, f"{file}::{test}"]
    with output.open("wb") as written:
        run = subprocess.Popen(command, stdout=written, stderr=subprocess.STDOUT, env=environment())
    try:
        told = eventually(lambda: _goes_on(output.read_text()), "the verdict is told")
    finally:
        run.kill()
        run.wait()
    assert f"test_shop.py:{line}" in told


def _goes_on(output: str) -> str:
    told = output.partition("peeps: the test has run out of time, and does not end")[2]
    return told if "Watched for" in told else ""


def test_a_short_limit_is_no_calm(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_shop="import threading\n\n\ndef test_stands():\n    threading.Event().wait()\n")
    result = pytester.runpytest_subprocess("--timeout=2", "--show-capture=no", timeout=60)
    assert "Nothing is stuck" not in result.stdout.str()
