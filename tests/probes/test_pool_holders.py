# SPDX-License-Identifier: Apache-2.0
"""Who has what a pool has lent is seen in the functions that tasks and threads are in."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from peeps_otel.model import EdgeKind, Node
from peeps_otel.probes import library_registry
from peeps_otel.probes.library import (
    Lent,
    PoolHandle,
    PoolState,
    PoolType,
    Support,
    TaskWait,
    ThreadWait,
    attribute,
    code_of,
    operation,
)
from tests.probes.threads_world import Seen, World, world

_ACQUIRE = operation("pool.acquire")


class _Connection:
    """What the pool lends."""

    def __init__(self, pool: _Pool | None) -> None:
        self.pool = pool


class _Pool:
    """A pool of a library, as threads and as tasks use it. `tells`: its connections know it."""

    def __init__(self, size: int, tells: bool = True) -> None:
        self.size, self.tells = size, tells
        self.out: list[_Connection] = []
        self.back = threading.Event()
        self.waiting = 0

    def take(self) -> _Connection:
        connection = _Connection(self if self.tells else None)
        self.out.append(connection)
        return connection

    def wait(self) -> None:
        self.waiting += 1
        self.back.wait(20)

    async def wait_async(self) -> None:
        self.waiting += 1
        await asyncio.get_running_loop().create_future()

    @contextmanager
    def connection(self) -> Generator[_Connection]:
        connection = self.take()
        yield connection
        self.out.remove(connection)

    @asynccontextmanager
    async def connection_async(self) -> AsyncGenerator[_Connection]:
        connection = self.take()
        yield connection
        self.out.remove(connection)


def _read(pool: _Pool) -> PoolState:
    return PoolState(pool.size, len(pool.out), waiters=pool.waiting, lent=() if pool.tells else tuple(pool.out))


def _lent(connection: _Connection) -> tuple[Lent, ...]:
    return (Lent(connection, attribute(connection, "pool")),)


class _Unit:
    """An object of the program that has a connection."""

    connection: _Connection | None = None


class _Library:
    name, distribution, checked = "example", "", ()

    def is_imported(self) -> bool:
        return True

    def support(self) -> Support:
        return Support(
            pools=(PoolType(_Pool, "example.Pool", _read),),
            pool_handles=(PoolHandle(_Connection, _lent),),
            task_waits=(TaskWait(code_of(_Pool, "wait_async"), _ACQUIRE, finds=_Pool),),
            thread_waits=(ThreadWait("threading", "Event.wait", operation("event.wait"), finds="self"),),
        )


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_registry, "installed", lambda: (_Library(),))


def _pool_node(seen: Seen) -> Node | None:
    return next((node for node in seen.nodes.values() if "peeps.pool.in_use" in node.attributes), None)


def _held(seen: Seen) -> dict[str, str]:
    """Who has something of the pool, and the line where it was taken."""
    node = _pool_node(seen)
    if node is None:
        return {}
    edges = seen.edges(node, EdgeKind.HELD_BY)
    return {seen.label(edge.dst): (edge.source or "").rpartition(":")[2] for edge in edges}


def _line(mark: str) -> str:
    with open(__file__, encoding="utf-8") as file:
        return str(next(number for number, line in enumerate(file, 1) if line.rstrip().endswith(f"# {mark}")))


def _in_loop(made: World, main: Callable[[], Any]) -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    async def run() -> None:
        loops.append(asyncio.get_running_loop())
        await main()

    made.start("loop", lambda: asyncio.run(run()))
    made.cleaning.append(
        lambda: loops[0].call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loops[0])])
    )


def _gather(*named: tuple[str, Any]) -> Any:
    return asyncio.gather(*(asyncio.create_task(one, name=name) for name, one in named))


@pytest.mark.parametrize("tells", [True, False])
def test_a_task_that_has_a_connection_in_a_variable_or_a_block(tells: bool) -> None:
    pool = _Pool(4, tells)

    async def by_variable() -> None:
        connection = pool.take()  # by variable
        await pool.wait_async()
        del connection

    async def by_block() -> None:
        async with pool.connection_async():  # by block
            await pool.wait_async()

    async def by_name() -> None:
        async with pool.connection_async() as connection:  # by name
            await handed(connection)

    async def handed(_connection: _Connection) -> None:
        await pool.wait_async()

    async def by_attribute() -> None:
        unit = _Unit()
        unit.connection = pool.take()
        await pool.wait_async()

    async def waits() -> None:
        await pool.wait_async()

    async def main() -> None:
        await _gather(
            ("variable", by_variable()),
            ("block", by_block()),
            ("name", by_name()),
            ("attribute", by_attribute()),
            ("late", waits()),
        )

    with world() as made:
        _in_loop(made, main)
        seen = made.until(lambda seen: len(_held(seen)) == 4)
        assert _held(seen) == {
            "task variable": _line("by variable"),
            "task block": _line("by block"),
            "task name": _line("by name"),
            "task attribute": "",
        }
        node = _pool_node(seen)
        assert node is not None
        assert node.providers == "estimated"
        assert node.attributes == {
            "peeps.resource.type": "example.Pool",
            "peeps.semaphore.available": 0,
            "peeps.semaphore.permits": 4,
            "peeps.pool.in_use": 4,
            "peeps.resource.waiters": 5,
        }


def test_a_thread_that_sleeps_with_a_connection() -> None:
    pool, end = _Pool(2), threading.Event()

    def by_variable() -> None:
        connection = pool.take()  # thread by variable
        end.wait(20)
        del connection

    def by_block() -> None:
        with pool.connection():  # thread by block
            end.wait(20)

    async def main() -> None:
        await _gather(("late", pool.wait_async()))

    with world() as made:
        made.cleaning.append(end.set)
        made.start("variable", by_variable)
        made.start("block", by_block)
        made.settled("variable", "block")
        _in_loop(made, main)
        seen = made.until(lambda seen: len(_held(seen)) == 2)
        assert _held(seen) == {
            "thread variable": _line("thread by variable"),
            "thread block": _line("thread by block"),
        }


def test_a_thread_that_goes_through_a_generator_which_keeps_a_connection() -> None:
    pool, end = _Pool(2), threading.Event()

    def rows() -> Generator[int]:
        with pool.connection():  # rows
            yield from range(3)

    def kept_rows() -> Generator[int]:
        connection = pool.take()  # kept rows
        yield from range(3)
        del connection

    def loops() -> None:
        for _ in rows():
            end.wait(20)

    def by_hand() -> None:
        given = kept_rows()
        next(given)
        end.wait(20)
        del given

    async def main() -> None:
        await _gather(("late", pool.wait_async()))

    with world() as made:
        made.cleaning.append(end.set)
        made.start("loops", loops)
        made.start("by hand", by_hand)
        made.settled("loops", "by hand")
        _in_loop(made, main)
        seen = made.until(lambda seen: len(_held(seen)) == 2)
        assert _held(seen) == {"thread loops": _line("rows"), "thread by hand": _line("kept rows")}


def test_what_nobody_is_seen_with_leaves_the_pool_open() -> None:
    pool = _Pool(2)

    async def one() -> None:
        connection = pool.take()
        await pool.wait_async()
        del connection

    async def main() -> None:
        pool.take()
        await _gather(("one", one()))

    with world() as made:
        _in_loop(made, main)
        seen = made.until(lambda seen: bool(_held(seen)))
        node = _pool_node(seen)
        assert node is not None
        assert (list(_held(seen)), node.providers) == (["task one"], "open")


def test_what_many_share_by_an_attribute_is_nobodys() -> None:
    pool = _Pool(1)
    shared = _Unit()

    async def serve(_unit: _Unit) -> None:
        await pool.wait_async()

    async def main() -> None:
        shared.connection = pool.take()
        await _gather(*((f"request {number}", serve(shared)) for number in range(5)))

    with world() as made:
        _in_loop(made, main)
        made.until(lambda seen: _pool_node(seen) is not None)
        assert _held(made.look()) == _held(made.look()) == {}


def test_nobody_is_searched_while_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    pool = _Pool(2)

    def lent(connection: _Connection) -> tuple[Lent, ...]:
        asked.append(connection)
        return _lent(connection)

    monkeypatch.setattr(f"{__name__}._lent", lent)

    async def sleeps() -> None:
        connection = pool.take()
        await asyncio.get_running_loop().create_future()
        del connection

    async def main() -> None:
        pool.waiting -= 1  # one that is not counted
        await _gather(("one", sleeps()), ("seen", pool.wait_async()))

    with world() as made:
        _in_loop(made, main)
        made.until(lambda seen: _pool_node(seen) is not None)
        made.look()
        assert asked == []
