# SPDX-License-Identifier: Apache-2.0
"""More jobs than pool threads: the queue of the executor is long, and it moves."""

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor


def hash_file(number: int) -> str:
    data = bytes(200_000)
    for _ in range(20):
        data = hashlib.sha256(data).digest() * 6_000
    return data[:4].hex()


async def main() -> None:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(2, "hash") as pool:
        while True:
            await asyncio.gather(*(loop.run_in_executor(pool, hash_file, n) for n in range(60)))


asyncio.run(main())
