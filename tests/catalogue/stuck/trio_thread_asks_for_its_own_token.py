# SPDX-License-Identifier: Apache-2.0
"""A thread that Trio runs under a limiter of one calls back into Trio, which wants a thread under the same limiter."""

import functools

import trio

disk = trio.CapacityLimiter(1)


def write(name: str) -> int:
    return len(name)


async def save(name: str) -> int:
    return await trio.to_thread.run_sync(write, name, limiter=disk)  # <- wants another token


def convert(name: str) -> int:
    return trio.from_thread.run(save, f"{name}.png")


async def main() -> None:
    start = functools.partial(trio.to_thread.run_sync, convert, limiter=disk)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(start, "one", name="convert-one")


trio.run(main)
