# SPDX-License-Identifier: Apache-2.0
"""A handler calls `time.sleep` in the event loop: everything else in the process stands still."""

import asyncio
import time


async def tick() -> None:
    while True:
        await asyncio.sleep(0.1)


def wait_for_printer() -> None:
    time.sleep(3600)  # <- blocks


async def print_label() -> None:
    await asyncio.sleep(0.2)
    wait_for_printer()


async def main() -> None:
    await asyncio.gather(
        asyncio.create_task(tick(), name="tick"), asyncio.create_task(print_label(), name="print-label")
    )


asyncio.run(main())
