# SPDX-License-Identifier: Apache-2.0
"""A service that stops cancels its worker and then waits until the worker's queue is done."""

import asyncio

jobs: asyncio.Queue[int] = asyncio.Queue()


async def mail() -> None:
    while True:
        await jobs.get()
        await asyncio.sleep(0.5)
        jobs.task_done()


async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    jobs.put_nowait(1)
    writer.close()


async def stop(mailer: "asyncio.Task[None]") -> None:
    mailer.cancel()
    await jobs.join()  # <- waits until all is mailed


async def main() -> None:
    mailer = asyncio.create_task(mail(), name="mailer")
    async with await asyncio.start_server(answer, "127.0.0.1", 0):
        for number in range(5):
            jobs.put_nowait(number)
        await asyncio.sleep(1.2)
        await stop(mailer)


asyncio.run(main())
