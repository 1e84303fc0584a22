# SPDX-License-Identifier: Apache-2.0
"""Threads that Trio runs under a limiter call back for another one under it, which has one to spare."""

import time

import trio

disk = trio.CapacityLimiter(3)


def write() -> None:
    time.sleep(0.2)


async def save() -> None:
    await trio.to_thread.run_sync(write, limiter=disk)


def convert() -> None:
    trio.from_thread.run(save)


async def work() -> None:
    while True:
        await trio.to_thread.run_sync(convert, limiter=disk)


async def main() -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(work)


trio.run(main)
