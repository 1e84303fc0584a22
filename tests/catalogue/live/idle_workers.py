# SPDX-License-Identifier: Apache-2.0
"""A worker pool with nothing to do: every worker waits for a job from an empty queue, and that is its work."""

import asyncio


async def worker(jobs: asyncio.Queue[str]) -> None:
    while True:
        job = await jobs.get()
        print(job)
        jobs.task_done()


async def main() -> None:
    jobs: asyncio.Queue[str] = asyncio.Queue()
    workers = [asyncio.create_task(worker(jobs), name=f"worker-{number}") for number in range(16)]
    for number in range(100):
        jobs.put_nowait(f"job {number}")
    await jobs.join()
    await asyncio.Event().wait()  # until the process is told to end
    for each in workers:
        each.cancel()


asyncio.run(main())
