# SPDX-License-Identifier: Apache-2.0
"""Main waits for the results of a pool while it has the lock that the callback of one of them wants."""

import multiprocessing
import threading
import time

totals: list[int] = []
lock = threading.Lock()


def square(number: int) -> int:
    time.sleep(0.2)
    return number * number


def note(result: int) -> None:
    threading.current_thread().name = "results"
    with lock:  # <- the callback wants the lock
        totals.append(result)


if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        first = pool.apply_async(square, (3,), callback=note)
        second = pool.apply_async(square, (4,), callback=note)
        with lock:  # <- main takes the lock
            print(first.get() + second.get())  # <- main waits for a result
