# SPDX-License-Identifier: Apache-2.0
"""dask/distributed#4224: an actor's method waits for another actor, and both live on a worker with one thread."""

from concurrent.futures import Future, ThreadPoolExecutor

worker = ThreadPoolExecutor(1, "worker")


class Clock:
    def time(self) -> Future[float]:
        return worker.submit(self.read)

    def read(self) -> float:
        return 12.5


class Reader:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def get(self) -> float:
        return self.clock.time().result()  # <- actor waits for actor


print(worker.submit(Reader(Clock()).get).result())
