# SPDX-License-Identifier: Apache-2.0
"""The callback of a result starts the next stage in the same pool and goes on; main waits for the last one."""

import multiprocessing
import queue
import time

finished: "queue.Queue[int]" = queue.Queue()


def work(number: int) -> int:
    time.sleep(3)
    return number + 1


if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:

        def go_on(number: int) -> None:
            finished.put(number)
            pool.apply_async(work, (number,), callback=go_on)

        pool.apply_async(work, (0,), callback=go_on)
        while finished.get() < 1000:
            pool.apply(work, (1,))
