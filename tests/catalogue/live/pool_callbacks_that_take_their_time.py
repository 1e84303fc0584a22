# SPDX-License-Identifier: Apache-2.0
"""Callbacks of a pool's results take a lock, write slowly and start more work; main waits for each result meanwhile."""

import multiprocessing
import threading
import time
from typing import Any

lock = threading.Lock()


def square(number: int) -> int:
    time.sleep(0.3)
    return number * number


def note(_result: int) -> None:
    with lock:
        time.sleep(2.5)


if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        while True:
            results: list[Any] = [pool.apply_async(square, (number,), callback=note) for number in range(3)]
            print([result.get() for result in results])
            with lock:
                time.sleep(0.5)
