# SPDX-License-Identifier: Apache-2.0
"""Threads take an RLock twice each and hand it on: reentrance is no deadlock."""

import threading
import time

cache_lock = threading.RLock()
cache: dict[int, int] = {}


def put(key: int, value: int) -> None:
    with cache_lock:
        cache[key] = value


def refresh() -> None:
    for number in range(1_000_000):
        with cache_lock:
            put(number % 100, number)
            time.sleep(0.005)


threads = [threading.Thread(target=refresh, name=f"refresh-{number}", daemon=True) for number in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
