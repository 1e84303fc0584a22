# SPDX-License-Identifier: Apache-2.0
"""A Trio program that mostly sleeps: a lock that is held long, two who wait for it with a deadline, an event that a
thread sets at times."""

import threading
import time

import trio


async def hold(lock: trio.Lock) -> None:
    while True:
        async with lock:
            await trio.sleep(1.5)


async def want(lock: trio.Lock) -> None:
    while True:
        with trio.move_on_after(0.4):
            async with lock:
                await trio.sleep(0.01)


async def follow(ticks: list[trio.Event]) -> None:
    while True:
        ticks.append(trio.Event())
        await ticks[-1].wait()


def tick(token: trio.lowlevel.TrioToken, ticks: list[trio.Event]) -> None:
    while True:
        time.sleep(1)
        token.run_sync_soon(lambda: ticks[-1].set())


async def main() -> None:
    lock, ticks = trio.Lock(), list[trio.Event]()
    token = trio.lowlevel.current_trio_token()
    threading.Thread(target=tick, args=(token, ticks), daemon=True).start()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hold, lock)
        nursery.start_soon(want, lock)
        nursery.start_soon(want, lock)
        nursery.start_soon(follow, ticks)
        await trio.sleep_forever()


trio.run(main)
