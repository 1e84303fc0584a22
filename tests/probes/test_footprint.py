# SPDX-License-Identifier: Apache-2.0
"""Whether a task has gone on, from what it looks like at two moments."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import trio
import trio.testing

from peeps_otel.probes.runtime import footprint


async def _numbers(queue: asyncio.Queue[int]) -> AsyncGenerator[int]:
    for number in range(1_000_000):
        await queue.put(number)
        yield number


async def _produce(queue: asyncio.Queue[int]) -> None:
    async for _ in _numbers(queue):
        pass


async def _stand(lock: asyncio.Lock, shared: list[int]) -> None:
    count = 0

    def counted() -> int:
        return count

    async def below() -> None:
        nonlocal count
        async with lock:
            shared.append(counted())

    await below()


async def _turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


def test_who_goes_round_is_told_from_who_stands() -> None:
    async def main() -> None:
        queue, lock, shared = asyncio.Queue[int](3), asyncio.Lock(), list[int]()
        await lock.acquire()
        producer = asyncio.create_task(_produce(queue))
        stuck = asyncio.create_task(_stand(lock, shared))
        await _turns(20)
        seen: list[tuple[int, int]] = []
        for _ in range(100):
            # The producer is in the same wait at the same line each time.
            seen.append((footprint(producer), footprint(stuck)))
            shared.append(1)
            await queue.get()
            await _turns(5)
        going, standing = zip(*seen, strict=True)
        assert len(set(going)) == 100
        assert len(set(standing)) == 1
        producer.cancel()
        stuck.cancel()
        await asyncio.gather(producer, stuck, return_exceptions=True)

    asyncio.run(main())


def test_what_others_change_is_no_step_of_its_own() -> None:
    """A variable that an inner function shares, and what an object holds."""

    async def main() -> None:
        gate, count = asyncio.Event(), 0

        async def wait() -> int:
            await gate.wait()
            return count

        async def outer() -> int:
            nonlocal count
            return await wait() + count

        task = asyncio.create_task(outer())
        await _turns(3)
        before = footprint(task)
        count = 1 << 40
        assert footprint(task) == before
        gate.set()
        assert await task == 1 << 41

    asyncio.run(main())


def test_a_task_of_trio_that_has_gone_round_its_loop_is_told_from_one_that_has_not() -> None:
    async def count(send: trio.MemorySendChannel[int]) -> None:
        for number in range(1000, 2000):
            await send.send(number)

    async def main() -> None:
        send, receive = trio.open_memory_channel[int](0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(count, send)
            await trio.testing.wait_all_tasks_blocked()
            (task,) = nursery.child_tasks
            first = footprint(task)
            assert footprint(task) == first
            await receive.receive()
            await trio.testing.wait_all_tasks_blocked()
            assert footprint(task) != first
            nursery.cancel_scope.cancel()

    trio.run(main)
