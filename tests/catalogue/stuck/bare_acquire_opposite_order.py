# SPDX-License-Identifier: Apache-2.0
"""The same two locks in opposite order, but with `await lock.acquire()`, so that anybody might release them."""

import asyncio

index = asyncio.Lock()
journal = asyncio.Lock()


async def append(entry: str) -> None:
    await journal.acquire()  # <- append takes journal
    try:
        await asyncio.sleep(0.05)
        await index.acquire()  # <- append waits for index
        try:
            print("appended", entry)
        finally:
            index.release()
    finally:
        journal.release()


async def compact() -> None:
    await index.acquire()  # <- compact takes index
    try:
        await asyncio.sleep(0.05)
        await journal.acquire()  # <- compact waits for journal
        try:
            print("compacted")
        finally:
            journal.release()
    finally:
        index.release()


async def main() -> None:
    writer = asyncio.create_task(append("x"), name="writer")
    compactor = asyncio.create_task(compact(), name="compactor")
    await writer
    await compactor


asyncio.run(main())
