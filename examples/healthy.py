# SPDX-License-Identifier: Apache-2.0
"""A busy little server in which nothing is stuck.

Clients on loopback send lines to a server. Each line goes through a bounded queue to a pool of workers; the workers
share a semaphore (two may use the "backend" at once) and a lock (one may count at a time). Tasks wait all the time, and
every wait ends. Runs until killed, or for as many seconds as the argument says: `python examples/healthy.py 10`.
"""

import asyncio
import math
import sys
import time
from itertools import count

Job = tuple[bytes, asyncio.Future[bytes]]


class Service:
    def __init__(self) -> None:
        self.jobs: asyncio.Queue[Job] = asyncio.Queue(maxsize=8)
        self.backend = asyncio.Semaphore(2)
        self.counting = asyncio.Lock()
        self.answered = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
            await self.jobs.put((line, answer))
            writer.write(await answer)
            await writer.drain()
        writer.close()

    async def work(self) -> None:
        while True:
            line, answer = await self.jobs.get()
            async with self.backend:
                await asyncio.sleep(0.001)
            async with self.counting:
                await asyncio.sleep(0)
                self.answered += 1
            if not answer.done():
                answer.set_result(line.upper())


async def call(port: int, until: float) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in count():
        question = f"question {number}\n".encode()
        writer.write(question)
        await writer.drain()
        if await reader.readline() != question.upper():
            raise RuntimeError("the server gave a wrong answer")
        if time.monotonic() >= until:
            break
    writer.close()
    await writer.wait_closed()


async def main(seconds: float) -> None:
    service = Service()
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    workers = [asyncio.create_task(service.work(), name=f"worker-{number}") for number in range(1, 5)]
    print(f"healthy: a server on 127.0.0.1:{port}, {len(workers)} workers, 20 clients", flush=True)
    async with asyncio.TaskGroup() as group:
        for number in range(1, 21):
            group.create_task(call(port, time.monotonic() + seconds), name=f"client-{number}")
    for worker in workers:
        worker.cancel()
    print(f"healthy: {service.answered} requests answered, none left behind", flush=True)


asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else math.inf))
