# SPDX-License-Identifier: Apache-2.0
"""Workers that take each job in the condition of their loop, and never had one, beside a server that nobody calls."""

import asyncio
import queue
import threading


async def work(jobs: "asyncio.Queue[str | None]") -> None:
    while (job := await jobs.get()) is not None:
        print(job)


def work_in_thread(jobs: "queue.Queue[str | None]") -> None:
    while (job := jobs.get()) is not None:
        print(job)


async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def main() -> None:
    jobs: asyncio.Queue[str | None] = asyncio.Queue()
    letters: queue.Queue[str | None] = queue.Queue()
    workers = [asyncio.create_task(work(jobs), name=f"worker-{number}") for number in range(3)]
    threading.Thread(target=work_in_thread, args=(letters,), name="mail", daemon=True).start()
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        await server.serve_forever()
    await asyncio.gather(*workers)


asyncio.run(main())
