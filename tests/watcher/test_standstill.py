# SPDX-License-Identifier: Apache-2.0
"""Nothing moves any more, said of real programs in processes of their own; the clock is ours."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

_MORE_LOOKS = 50
_AT_ONCE = 3

LOOKER = """
import asyncio, json, os, queue, signal, socket, sys, threading, time
from peeps_otel.diagnosis.wait_graph import WaitGraph
from peeps_otel.model import Graph
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.composite import CompositeProbe
from peeps_otel.probes.context import ProbeContext
from peeps_otel.probes.kept import Kept
from peeps_otel.probes.probe import Observation
from peeps_otel.probes.patches.recorder import Recorder
from peeps_otel.probes.threads.probe import ThreadProbe
from peeps_otel.watcher.assembly import Assembler
from peeps_otel.watcher.interfaces import Waiting
from peeps_otel.watcher.polls import Polls
from peeps_otel.watcher.standstill import Standstill

NOBODY = Waiting(WaitGraph(Graph({}, []), frozenset()), None)

def watch():
    context = ProbeContext()
    tasks = AsyncioProbe(Recorder(1 << 62), context=context)
    probes = CompositeProbe([tasks, ThreadProbe(context)], context)
    assembler = Assembler(1 << 62)
    assembler.restart()
    rule = Standstill(lambda: assembler.difference, tasks.loops, 15_000_000_000)
    polls = Polls(tasks, lambda: assembler.difference)
    kept = Kept(), Kept()
    found = []
    time.sleep(0.7)
    later = range(23, 23 + 5 * int(sys.argv[1]), 5)
    for ahead_s in (0, 1, 2, 10, 16, 17, 18, *later):
        if found and ahead_s in later:
            break
        time.sleep(0.15)
        now_ns = time.time_ns() + ahead_s * 1_000_000_000
        observation = probes.look(now_ns, lambda: None, Observation(*kept))
        polls.write(observation, now_ns)
        assembler.assemble(observation, now_ns)
        found = rule.look(observation, NOBODY, [], now_ns)
    told = [
        {"title": f.title, "level": f.level, "look_at": f.look_at.rpartition("/")[2], "last": f.evidence[-1].text}
        for f in found
    ]
    print(json.dumps(told), flush=True)
    os._exit(0)

threading.Thread(target=watch, name="peeps-looker", daemon=True).start()
"""


def said(program: str, more_looks: int = 0) -> list[dict[str, Any]]:
    """`more_looks`: how many there may be until it is said. One that catches somebody between two waits begins anew."""
    command = [sys.executable, "-c", LOOKER + textwrap.dedent(program), str(more_looks)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


STAND_STILL = {
    "threads that wait for each other's events": """
        gate = threading.Event()
        other = threading.Thread(target=gate.wait, name="worker")
        other.start()
        other.join()
        """,
    "a task that waits for one that waits for ever": """
        async def inner():
            await asyncio.Event().wait()
        async def main():
            await asyncio.create_task(inner(), name="inner")
        asyncio.run(main())
        """,
    "a task that waits for one of a library": """
        text = "async def wait(loop, event):\\n    await loop.create_task(event.wait())\\n"
        library = {}
        exec(compile(text, "/usr/lib/python3/site-packages/jobs/client.py", "exec"), library)
        async def main():
            await library["wait"](asyncio.get_running_loop(), asyncio.Event())
        asyncio.run(main())
        """,
    "a poll": """
        gate = threading.Event()
        while not gate.wait(0.6):
            pass
        """,
    "a thread that looks for a flag": """
        class Service:
            ready = False
        def wait_ready():
            while not Service.ready:
                time.sleep(0.1)
        waiting = threading.Thread(target=wait_ready, name="waiting")
        waiting.start()
        waiting.join()
        """,
    "a thread that looks for a flag, each time for seconds of a type of its own": """
        class Seconds(float):
            pass
        class Service:
            ready = False
        def wait_ready():
            pause = Seconds(0.1)
            while not Service.ready:
                time.sleep(pause)
        waiting = threading.Thread(target=wait_ready, name="waiting")
        waiting.start()
        waiting.join()
        """,
    "a task that looks for a flag": """
        class Service:
            ready = False
        async def main():
            while not Service.ready:
                await asyncio.sleep(0.1)
        asyncio.run(main())
        """,
    "a lock that is tried again and again": """
        lock = threading.Lock()
        lock.acquire()
        while not lock.acquire(blocking=False):
            time.sleep(0.1)
        """,
}
MAY_GO_ON = {
    "a sleeper": """
        def late():
            time.sleep(60)
        threading.Thread(target=late).start()
        threading.Event().wait()
        """,
    "a timer": """
        threading.Timer(60, print).start()
        threading.Event().wait()
        """,
    "a listening socket that may bring somebody": """
        server = socket.create_server(("127.0.0.1", 0))
        threading.Event().wait()
        """,
    "a loop with a connection": """
        async def main():
            ours, theirs = socket.socketpair()
            reader, writer = await asyncio.open_connection(sock=ours)
            await asyncio.gather(reader.read(1), asyncio.Event().wait())
        asyncio.run(main())
        """,
    "an alarm": """
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.setitimer(signal.ITIMER_REAL, 60)
        threading.Event().wait()
        """,
    "who computes": """
        def work():
            while True:
                sum(range(1000))
        threading.Thread(target=work, daemon=True).start()
        threading.Event().wait()
        """,
    "a heartbeat": """
        def beat():
            pass
        stop = threading.Event()
        while not stop.wait(0.3):
            beat()
        """,
    "a heartbeat of a task": """
        async def main():
            stop = asyncio.Event()
            while not stop.is_set():
                print("alive", file=sys.stderr)
                sum(range(10))
                await asyncio.sleep(0.2)
        asyncio.run(main())
        """,
    "who waits for a signal": """
        stopped = []
        signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
        while not stopped:
            time.sleep(0.2)
        """,
    "who asks others": """
        while not os.path.exists("/nowhere/to/be/found"):
            time.sleep(0.2)
        """,
    "who gives up after a while": """
        class Service:
            ready = False
        ends = time.monotonic() + 60
        while not Service.ready and time.monotonic() < ends:
            time.sleep(0.2)
        """,
    "who takes one thing after the other": """
        def process(number):
            return number
        for number in range(10_000):
            process(number)
            time.sleep(0.1)
        """,
    "a poll beside who goes on": """
        class Service:
            ready = False
        def later():
            time.sleep(60)
            Service.ready = True
        threading.Thread(target=later).start()
        while not Service.ready:
            time.sleep(0.1)
        """,
}
Runs = Mapping[str, "Future[list[dict[str, Any]]]"]


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    """All of the programs; they mostly wait, so some run side by side."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        still = {name: pool.submit(said, program, _MORE_LOOKS) for name, program in STAND_STILL.items()}
        yield still | {name: pool.submit(said, program) for name, program in MAY_GO_ON.items()}


@pytest.fixture
def _no_process_left() -> None:
    """The programs of other tests run side by side with this one's."""


def test_threads_that_wait_for_each_other_s_events(runs: Runs) -> None:
    found = runs["threads that wait for each other's events"].result()
    assert [one["level"] for one in found] == ["SUSPECT"]
    assert found[0]["title"].startswith("nothing moves any more: MainThread")


def test_a_task_that_waits_for_one_that_waits_for_ever(runs: Runs) -> None:
    found = runs["a task that waits for one that waits for ever"].result()
    assert len(found) == 1
    assert "leads to inner, which waits for Event" in found[0]["title"]


def test_the_last_line_of_the_program_on_the_way_is_opened(runs: Runs) -> None:
    found = runs["a task that waits for one of a library"].result()
    assert len(found) == 1
    assert "main (Task-1) leads to Event.wait" in found[0]["title"]
    assert found[0]["look_at"].startswith("<string>:")


def test_a_poll_is_no_move(runs: Runs) -> None:
    found = runs["a poll"].result()
    assert [one["title"].startswith("nothing moves any more: MainThread waits for Event gate") for one in found] == [
        True
    ]


@pytest.mark.parametrize(
    ("who", "title"),
    [
        ("a thread that looks for a flag", "MainThread leads to thread waiting, which asks again and again at"),
        (
            "a thread that looks for a flag, each time for seconds of a type of its own",
            "MainThread leads to thread waiting, which asks again and again at",
        ),
        ("a task that looks for a flag", "main (Task-1) asks again and again at"),
        ("a lock that is tried again and again", "MainThread asks again and again at"),
    ],
)
def test_who_asks_for_a_state_in_vain(runs: Runs, who: str, title: str) -> None:
    (one,) = runs[who].result()
    assert title in one["title"]
    assert " asks again and again at " in one["last"]


@pytest.mark.parametrize("who", MAY_GO_ON)
def test_it_may_go_on(runs: Runs, who: str) -> None:
    assert runs[who].result() == []
