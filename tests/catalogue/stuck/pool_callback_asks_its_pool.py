# SPDX-License-Identifier: Apache-2.0
"""The callback of a result starts the next stage in the same pool and waits for it: the thread that hands on results
waits for one that only it hands on."""

import multiprocessing
import threading
from multiprocessing.pool import Pool

done = threading.Event()


def square(number: int) -> int:
    return number * number


class Stages:
    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    def second(self, squares: list[int]) -> None:
        threading.current_thread().name = "results"
        print(sum(self.pool.map(square, squares)))  # <- the callback waits for the pool
        done.set()


if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map_async(square, range(10), callback=Stages(pool).second)
        done.wait()
