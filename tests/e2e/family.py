# SPDX-License-Identifier: Apache-2.0
"""A process with two of `multiprocessing`, in each of which a task waits: `family.py spawn` or `fork`."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys


async def wait() -> None:
    await asyncio.create_task(asyncio.sleep(3600), name=f"of-{os.getpid()}")


def work() -> None:
    asyncio.run(wait())


def main() -> None:
    multiprocessing.set_start_method(sys.argv[1])
    for _ in range(2):
        multiprocessing.Process(target=work, daemon=True).start()
    print("family: at work", flush=True)
    work()


if __name__ == "__main__":
    main()
