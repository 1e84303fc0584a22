# SPDX-License-Identifier: Apache-2.0
"""A pool of two connections on a queue.Queue; each of two threads takes a second one while it has the first."""

import queue
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager


class Pool:
    def __init__(self, size: int) -> None:
        self.free: queue.Queue[str] = queue.Queue()
        for number in range(size):
            self.free.put(f"connection {number}")

    @contextmanager
    def connection(self) -> Generator[str]:
        one = self.free.get()  # <- takes
        try:
            yield one
        finally:
            self.free.put(one)


def audit(pool: Pool) -> None:
    with pool.connection() as connection:
        print("audit on", connection)


def transfer(pool: Pool, both: threading.Barrier, number: int) -> None:
    with pool.connection() as connection:
        both.wait()
        time.sleep(number)
        audit(pool)
        print("transfer on", connection)


def main() -> None:
    pool, both = Pool(2), threading.Barrier(2)
    threads = [
        threading.Thread(target=transfer, args=(pool, both, number), name=f"transfer-{number}") for number in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


main()
