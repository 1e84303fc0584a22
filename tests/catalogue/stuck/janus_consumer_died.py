# SPDX-License-Identifier: Apache-2.0
"""janus: a thread hands readings to a task until the queue is full; the task has died of one of them."""

import asyncio

import janus


async def store(readings: "janus.AsyncQueue[int]") -> None:
    while (reading := await readings.get()) >= 0:
        print(100 // (3 - reading))  # <- store died
        readings.task_done()


def measure(readings: "janus.SyncQueue[int]") -> None:
    for reading in range(100):
        readings.put(reading)  # <- measure puts


async def main() -> None:
    readings: janus.Queue[int] = janus.Queue(maxsize=2)
    storing = asyncio.create_task(store(readings.async_q), name="store")
    await asyncio.get_running_loop().run_in_executor(None, measure, readings.sync_q)
    await storing


asyncio.run(main())
