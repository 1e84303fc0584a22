# SPDX-License-Identifier: Apache-2.0
"""Programs under load that are attached to again and again. They check their own work until a file appears, say
`right` and how often they went round, and leave with 0. Run by the Python to be tried; nothing of ours is in them."""

from __future__ import annotations

import importlib
import math
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable

STOP = sys.argv[2] if len(sys.argv) > 2 else ""
LONGEST_WAIT_S = 0.05
_rounds = [0]


def over() -> bool:
    return os.path.exists(STOP)


def went_round() -> None:
    _rounds[0] += 1


def until_over(work: Callable[[], object]) -> threading.Thread:
    def run() -> None:
        while not over():
            work()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def tasks() -> None:
    """Two tasks that hand each other a token, and a thread that sleeps."""
    import asyncio

    async def player(mine: asyncio.Queue[int], other: asyncio.Queue[int]) -> None:
        while not over():
            await mine.get()
            went_round()
            await asyncio.sleep(0.01)
            other.put_nowait(1)
        other.put_nowait(1)

    async def main() -> None:
        one, other = asyncio.Queue[int](), asyncio.Queue[int]()
        one.put_nowait(1)
        sleeper = until_over(lambda: time.sleep(0.02))
        await asyncio.gather(player(one, other), player(other, one))
        sleeper.join()

    asyncio.run(main())


def threads() -> None:
    """200 of them wait for a lock; each gets it in the end."""
    lock, seen = threading.Lock(), list[int]()
    lock.acquire()

    def wait(number: int) -> None:
        with lock:
            seen.append(number)

    waiting = [threading.Thread(target=wait, args=(number,)) for number in range(200)]
    for one in waiting:
        one.start()
    while not over():
        time.sleep(0.05)
        went_round()
    lock.release()
    for one in waiting:
        one.join()
    assert sorted(seen) == list(range(200))


def allocating() -> None:
    """Four threads make and drop objects; one imports, also what is not there."""
    wrong: list[str] = []

    def work(number: int) -> None:
        try:
            made = {str(i): [i] * 10 for i in range(2000)}
            assert len(made) == 2000
            assert made["7"] == [7] * 10
            for name in ("json.decoder", "colorsys", "sched", "this_is_not_there") if number == 0 else ():
                sys.modules.pop(name, None)
                try:
                    importlib.import_module(name)
                except ModuleNotFoundError:
                    assert name.startswith("this")
            time.sleep(0.001)
            went_round()
        except BaseException as error:
            wrong.append(repr(error))

    working = [until_over(lambda number=number: work(number)) for number in range(4)]
    for one in working:
        one.join()
    assert not wrong, wrong


def forking() -> None:
    """Children whose end and exit code must be those of its own."""
    sleeper = until_over(lambda: time.sleep(0.01))
    while not over():
        child = os.fork()
        if child == 0:
            time.sleep(0.01)
            os._exit(7)
        ended, status = os.waitpid(-1, 0)
        assert (ended, os.waitstatus_to_exitcode(status)) == (child, 7)
        went_round()
    sleeper.join()


def signals() -> None:
    """A handler every 5 ms, sleeps that must last, a pipe; and no signal of a child that it does not have."""
    seen = [0]
    children: list[int] = []

    def on_alarm(_number: int, _frame: object) -> None:
        seen[0] += 1

    signal.signal(signal.SIGALRM, on_alarm)
    signal.signal(signal.SIGCHLD, lambda number, _: children.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
    other = until_over(lambda: select.select([], [], [], LONGEST_WAIT_S))
    reading, writing = os.pipe()
    while not over():
        began = time.monotonic()
        time.sleep(0.03)
        assert time.monotonic() - began >= 0.0299
        os.write(writing, b"x")
        assert os.read(reading, 1) == b"x"
        went_round()
    signal.setitimer(signal.ITIMER_REAL, 0)
    other.join()
    assert seen[0] > _rounds[0]
    assert not children


def floats() -> None:
    """One thread, numbers in the processor's registers, sleeps that must last."""
    want = sum(math.sin(i) for i in range(2000))
    while not over():
        assert sum(math.sin(i) for i in range(2000)) == want
        began = time.monotonic()
        time.sleep(0.02)
        assert time.monotonic() - began >= 0.0199
        went_round()


def in_c() -> None:
    """One thread in C with the interpreter in its hands, and one that sleeps."""
    sleeper = until_over(lambda: time.sleep(0.01))
    while not over():
        assert sum(range(10**6)) == 499999500000
        went_round()
    sleeper.join()


def busy() -> None:
    """One thread that never sleeps."""
    while not over():
        assert sum(i * i for i in range(20000)) == 2666466670000
        went_round()


PROGRAMS = {one.__name__: one for one in (tasks, threads, allocating, forking, signals, floats, in_c, busy)}

if __name__ == "__main__":
    print("works", flush=True)
    PROGRAMS[sys.argv[1]]()
    print("right", _rounds[0])
    assert _rounds[0]
