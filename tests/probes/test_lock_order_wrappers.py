# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import gc
import weakref
from asyncio import locks
from collections.abc import Iterator

import pytest

from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.patches.lock_order import Asked, LockOrderRecorder


@pytest.fixture
def recorder(probe: AsyncioProbe) -> Iterator[LockOrderRecorder]:  # noqa: ARG001  installed before, removed after
    one = LockOrderRecorder()
    one.install()
    yield one
    one.uninstall()


def orders(asked: list[Asked]) -> list[tuple[str, str, str]]:
    return [(one.who_label, one.held[0].name, one.wanted.name) for one in asked]


def test_orders_that_nobody_waited_in(recorder: LockOrderRecorder) -> None:
    async def main() -> None:
        db = asyncio.Lock()
        cache = asyncio.Lock()

        async def blocks() -> None:
            async with db, cache:
                pass

        async def bare() -> None:
            await cache.acquire()
            try:
                await db.acquire()
                db.release()
            finally:
                cache.release()

        await asyncio.create_task(blocks(), name="blocks")
        await asyncio.create_task(bare(), name="bare")

    asyncio.run(main())
    asked = recorder.take()
    assert orders(asked) == [("blocks", "db", "cache"), ("bare", "cache", "db")]
    assert asked[0].stack[-1].startswith("test_orders_that_nobody_waited_in.<locals>.main.<locals>.blocks (")
    assert asked[0].held[0].site == asked[0].wanted.site  # one line
    assert recorder.take() == []


def test_a_request_that_gives_up_makes_no_order(recorder: LockOrderRecorder) -> None:
    async def main() -> None:
        db = asyncio.Lock()
        cache = asyncio.Lock()
        async with db, asyncio.timeout(100), cache:
            pass

    asyncio.run(main())
    assert recorder.take() == []


def test_released_by_another_task(recorder: LockOrderRecorder) -> None:
    async def main() -> None:
        db = asyncio.Lock()
        cache = asyncio.Lock()
        await db.acquire()

        async def release() -> None:
            db.release()

        await asyncio.create_task(release())
        async with cache:
            pass

    asyncio.run(main())
    assert recorder.take() == []


def test_nothing_is_kept_alive(recorder: LockOrderRecorder) -> None:
    seen: list[weakref.ref[object]] = []

    async def main() -> None:
        db = asyncio.Lock()
        seen.append(weakref.ref(db))

        async def end_with_lock() -> None:
            await db.acquire()

        task = asyncio.create_task(end_with_lock())
        seen.append(weakref.ref(task))
        await task

    asyncio.run(main())
    gc.collect()
    assert [one() for one in seen] == [None, None]
    recorder.take()
    assert not recorder.__dict__["_held"]


@pytest.mark.usefixtures("probe")
def test_uninstall_leaves_everything_as_it_was() -> None:
    before = {name: vars(locks.Lock).get(name) for name in ("acquire", "__aenter__", "release")}
    recorder = LockOrderRecorder()
    recorder.install()
    recorder.install()
    assert vars(locks.Lock)["acquire"] is not before["acquire"]
    recorder.uninstall()
    assert {name: vars(locks.Lock).get(name) for name in before} == before


@pytest.mark.usefixtures("recorder")
def test_holders_are_still_read_off_the_stack(probe: AsyncioProbe) -> None:
    from tests.probes.program import running

    async def main() -> None:
        db = asyncio.Lock()

        async def hold() -> None:
            async with db:
                await asyncio.Event().wait()

        async def want() -> None:
            async with db:
                raise AssertionError

        global_tasks.append(asyncio.create_task(hold(), name="holder"))
        await asyncio.sleep(0)
        global_tasks.append(asyncio.create_task(want(), name="waiter"))

    with running(probe, main) as program:
        seen = program.settled("holder", "waiter")
        assert seen.needs("waiter") == ["lock db"]
        assert seen.holders("lock db") == ["task holder"]
        assert seen.operation("waiter") == "lock.acquire"
    global_tasks.clear()


global_tasks: list[asyncio.Task[None]] = []
