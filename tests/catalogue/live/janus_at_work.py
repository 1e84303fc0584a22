# SPDX-License-Identifier: Apache-2.0
"""janus: threads and tasks hand work to each other both ways; the consumers wait for more most of the time."""

import asyncio
import threading
import time

import janus


def measure(readings: "janus.SyncQueue[int]") -> None:
    reading = 0
    while True:
        for _ in range(5):
            readings.put(reading)
        reading += 1
        time.sleep(0.4)


def mail(letters: "janus.SyncQueue[str]") -> None:
    while (letter := letters.get()) != "end":
        print(letter)
        letters.task_done()


async def store(readings: "janus.AsyncQueue[int]", letters: "janus.AsyncQueue[str]") -> None:
    while (reading := await readings.get()) >= 0:
        await letters.put(f"reading {reading}")
        await letters.join()
        readings.task_done()


async def main() -> None:
    readings: janus.Queue[int] = janus.Queue(maxsize=2)
    letters: janus.Queue[str] = janus.Queue(maxsize=1)
    unused: janus.Queue[int] = janus.Queue()
    threading.Thread(target=measure, args=(readings.sync_q,), name="measure", daemon=True).start()
    threading.Thread(target=mail, args=(letters.sync_q,), name="mail", daemon=True).start()
    idle = asyncio.create_task(store(unused.async_q, letters.async_q), name="idle")
    await store(readings.async_q, letters.async_q)
    idle.cancel()


asyncio.run(main())
