# SPDX-License-Identifier: Apache-2.0
"""Work that waits for other work of its executor, which at most three of four workers do: the fourth does it."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor


def part() -> None:
    time.sleep(0.02)


def chunk(pool: ThreadPoolExecutor) -> None:
    pool.submit(part).result()


async def client(pool: ThreadPoolExecutor) -> None:
    while True:
        await asyncio.get_running_loop().run_in_executor(pool, chunk, pool)


async def main() -> None:
    pool = ThreadPoolExecutor(4, "spare")
    await asyncio.gather(*(client(pool) for _ in range(3)))


asyncio.run(main())
