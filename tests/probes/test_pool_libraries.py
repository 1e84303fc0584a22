# SPDX-License-Identifier: Apache-2.0
"""The pools of real libraries: exhausted by themselves, by what was forgotten, busy, and slow."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import Finding, Graph
from tests.probes.pool_libraries import ASYNCHRONOUS, THREADED, Asynchronous, Threaded
from tests.probes.threads_world import Seen, World, world
from tests.support.databases import postgres, redis

pytestmark = pytest.mark.slow

_SIZE = 2
_WAIT_S = 300.0  # long before it gives up
_SECOND = 1_000_000_000
_Program = Callable[[Any], Any]


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int | None]]:
    with postgres() as one, redis() as other:
        yield {"postgres": one, "redis": other, "": 0}


def _port(ports: dict[str, int | None], server: str) -> int | None:
    if ports[server] is None:
        pytest.skip(f"{server} is not installed")
    return ports[server]


class _Looks:
    """Looks at a program and says what is told; `later` takes it for later than it is."""

    def __init__(self, made: World) -> None:
        self._made, self._diagnoser = made, Diagnoser()

    def look(self, later_s: float = 0) -> list[Finding]:
        observation = self._made.look().observation
        graph = Graph(observation.nodes, [edge for edges in observation.edges.values() for edge in edges])
        return self._diagnoser.look(graph, time.time_ns() + int(later_s * _SECOND))

    def told(self, *later_s: float) -> list[tuple[str, str, str]]:
        """What the last look says; the looks before let waits settle and holders be found."""
        for _ in range(3):
            self.look()
        found: list[Finding] = []
        for seconds in later_s:
            found = self.look(seconds)
        return [(one.kind, one.level, one.title) for one in found]


def _waiting(seen: Seen, most: int) -> bool:
    waits = [node.wait for node in seen.nodes.values() if node.wait is not None]
    return sum(wait.operation == "pool.acquire" for wait in waits) >= most


def _line(mark: str) -> str:
    with open(__file__, encoding="utf-8") as file:
        return str(next(number for number, line in enumerate(file, 1) if line.rstrip().endswith(f"# {mark}")))


def _give_back(pool: Threaded, taken: list[Any]) -> None:
    for connection in taken:
        pool.give_back(connection)


# --- threads ----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=THREADED)
def threaded(request: pytest.FixtureRequest, ports: dict[str, int | None], tmp_path: Path) -> Iterator[Threaded]:
    make, server = THREADED[request.param]
    pool = make(_port(ports, server), tmp_path, _SIZE, _WAIT_S)
    yield pool
    pool.close()


def test_threads_that_each_take_a_second_connection_exhaust_the_pool(threaded: Threaded) -> None:
    """Until one of them lets go of what it has."""
    both = threading.Barrier(_SIZE)
    taken: list[Any] = []

    def request() -> None:
        with threaded.block() as connection:  # threads take
            both.wait(30)
            taken.append(connection)
            with threaded.block():
                pass

    with world() as made:
        made.cleaning.append(lambda: _give_back(threaded, taken))
        for number in range(_SIZE):
            made.start(f"request-{number}", request)
        made.until(lambda seen: _waiting(seen, _SIZE))
        told = _Looks(made).told(3, 4)
    assert [(kind, level) for kind, level, _ in told] == [("pool_exhausted", "LIKELY")]
    assert told[0][2].startswith("2 of 2 connections of ")
    assert told[0][2].endswith(
        f"have one each, taken at probes/test_pool_libraries.py:{_line('threads take')}, and wait for another"
    )


def test_connections_that_threads_forgot(threaded: Threaded) -> None:
    kept: list[Any] = []

    def late() -> None:
        with threaded.block():
            pass

    with world() as made:
        kept += [threaded.take() for _ in range(_SIZE)]
        made.cleaning.append(lambda: _give_back(threaded, kept))
        made.start("late", late)
        made.until(lambda seen: _waiting(seen, 1))
        told = _Looks(made).told(3, 14, 15)
    assert [(kind, level) for kind, level, _ in told] == [("pool_exhausted", "SUSPECT")]
    assert told[0][2].endswith("; no function is seen with one; thread late waits for one")


def test_a_busy_pool_of_threads_is_silent(threaded: Threaded) -> None:
    end = threading.Event()

    def work() -> None:
        while not end.is_set():
            with threaded.block():
                time.sleep(0.005)

    told: list[str] = []
    with world() as made:
        made.cleaning.append(end.set)
        for number in range(_SIZE * 4):
            made.start(f"worker-{number}", work)
        looks = _Looks(made)
        for _ in range(15):
            told += [f"{one.level} {one.title}" for one in looks.look()]
            time.sleep(0.05)
    assert told == []


def test_a_holder_that_ends_in_time_is_no_alarm(threaded: Threaded) -> None:
    end, has_it = threading.Event(), threading.Event()

    def slow() -> None:
        with threaded.block(), threaded.block():  # both of them
            has_it.set()
            while not end.wait(0.2):
                pass

    def late() -> None:
        has_it.wait(30)
        with threaded.block():
            pass

    levels: set[str] = set()
    with world() as made:
        made.cleaning.append(end.set)
        made.start("slow", slow)
        made.start("late", late)
        made.until(lambda seen: _waiting(seen, 1))
        looks = _Looks(made)
        for later_s in range(0, 60, 3):
            levels |= {one.level for one in looks.look(later_s)}
            time.sleep(0.25)
    assert levels <= {"SLOW"}


# --- tasks ------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=ASYNCHRONOUS)
def asynchronous(
    request: pytest.FixtureRequest, ports: dict[str, int | None], tmp_path: Path
) -> Callable[[World, _Program], None]:
    """Runs a program with a pool, on a loop in a thread of its own, until the test ends.

    It is cancelled where it waits. A program that never does has to end by itself first: a cancellation in the middle
    of what SQLAlchemy does for a connection leaves its aiosqlite waiting for ever, and with it the loop.
    """
    make, server = ASYNCHRONOUS[request.param]
    port = _port(ports, server)

    def run(made: World, program: _Program) -> None:
        running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []

        async def main() -> None:
            pool = await make(port, tmp_path, _SIZE, _WAIT_S)
            task = asyncio.ensure_future(program(pool))
            running.append((asyncio.get_running_loop(), task))
            with suppress(asyncio.CancelledError):
                await task
            await pool.close()

        def end() -> None:
            for loop, task in running:
                with suppress(RuntimeError):  # it has ended
                    loop.call_soon_threadsafe(task.cancel)

        made.start("loop", lambda: asyncio.run(main()))
        made.cleaning.append(end)

    return run


async def _together(*named: tuple[str, Any]) -> None:
    await asyncio.gather(*(asyncio.create_task(one, name=name) for name, one in named))


def test_tasks_that_each_take_a_second_connection_exhaust_the_pool(
    asynchronous: Callable[[World, _Program], None],
) -> None:
    async def request(pool: Asynchronous, both: asyncio.Barrier) -> None:
        async with pool.block():  # tasks take
            await both.wait()
            async with pool.block():
                pass

    async def program(pool: Asynchronous) -> None:
        both = asyncio.Barrier(_SIZE)
        await _together(*((f"request-{number}", request(pool, both)) for number in range(_SIZE)))

    with world() as made:
        asynchronous(made, program)
        made.until(lambda seen: _waiting(seen, _SIZE))
        told = _Looks(made).told(3, 4)
    assert [(kind, level) for kind, level, _ in told] == [("pool_exhausted", "LIKELY")]
    assert told[0][2].startswith("2 of 2 connections of ")
    assert told[0][2].endswith(
        f"have one each, taken at probes/test_pool_libraries.py:{_line('tasks take')}, and wait for another"
    )


@pytest.mark.parametrize("asynchronous", ["asyncpg"], indirect=True)
def test_a_pool_that_waits_to_be_closed_for_what_a_task_has(asynchronous: Callable[[World, _Program], None]) -> None:
    async def listen(pool: Asynchronous, has_one: asyncio.Event, news: asyncio.Event) -> None:
        async with pool.block():  # listens
            has_one.set()
            await news.wait()

    async def program(pool: Asynchronous) -> None:
        has_one, news = asyncio.Event(), asyncio.Event()
        listener = asyncio.create_task(listen(pool, has_one, news), name="listener")
        await has_one.wait()
        assert pool.close_when_free is not None
        await pool.close_when_free()
        listener.cancel()

    with world() as made:
        asynchronous(made, program)
        made.until(lambda seen: any(n.wait and n.wait.operation == "pool.close" for n in seen.nodes.values()))
        told = _Looks(made).told(3, 35)
    assert [kind for kind, *_ in told if kind == "pool_exhausted"]
    assert f"listener has it, taken at probes/test_pool_libraries.py:{_line('listens')}," in told[0][2]


def test_connections_that_tasks_forgot(asynchronous: Callable[[World, _Program], None]) -> None:
    kept: list[Any] = []

    async def late(pool: Asynchronous) -> None:
        async with pool.block():
            pass

    async def program(pool: Asynchronous) -> None:
        for _ in range(_SIZE):
            kept.append(await pool.take())  # noqa: PERF401  # one after the other
        await _together(("late", late(pool)))

    with world() as made:
        asynchronous(made, program)
        made.until(lambda seen: _waiting(seen, 1))
        told = _Looks(made).told(3, 14, 15)
    assert [(kind, level) for kind, level, _ in told] == [("pool_exhausted", "SUSPECT")]
    assert told[0][2].endswith("; no function is seen with one; late waits for one")


def test_a_busy_pool_of_tasks_is_silent(asynchronous: Callable[[World, _Program], None]) -> None:
    end = threading.Event()

    async def work(pool: Asynchronous) -> None:
        while not end.is_set():
            async with pool.block():
                await asyncio.sleep(0.005)

    async def program(pool: Asynchronous) -> None:
        await _together(*((f"worker-{number}", work(pool)) for number in range(_SIZE * 4)))

    told: list[str] = []
    with world() as made:
        asynchronous(made, program)
        made.cleaning.append(lambda: (end.set(), made.threads["loop"].join(60)))
        made.until(lambda seen: _waiting(seen, 1))
        looks = _Looks(made)
        for _ in range(15):
            told += [f"{one.level} {one.title}" for one in looks.look()]
            time.sleep(0.05)
    assert told == []


def test_a_task_that_ends_in_time_is_no_alarm(asynchronous: Callable[[World, _Program], None]) -> None:
    async def slow(pool: Asynchronous, has_it: asyncio.Event) -> None:
        async with pool.block(), pool.block():
            has_it.set()
            while True:
                await asyncio.sleep(0.2)

    async def late(pool: Asynchronous, has_it: asyncio.Event) -> None:
        await has_it.wait()
        async with pool.block():
            pass

    async def program(pool: Asynchronous) -> None:
        has_it = asyncio.Event()
        await _together(("slow", slow(pool, has_it)), ("late", late(pool, has_it)))

    levels: set[str] = set()
    with world() as made:
        asynchronous(made, program)
        made.until(lambda seen: _waiting(seen, 1))
        looks = _Looks(made)
        for later_s in range(0, 60, 3):
            levels |= {one.level for one in looks.look(later_s)}
            time.sleep(0.25)
    assert levels <= {"SLOW"}
