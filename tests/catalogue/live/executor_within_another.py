# SPDX-License-Identifier: Apache-2.0
"""Workers of one executor wait for those of another: both are always busy, neither waits for itself."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

outer = ThreadPoolExecutor(3, "outer")
inner = ThreadPoolExecutor(2, "inner")


def part() -> int:
    time.sleep(0.02)
    return 1


def chunk() -> int:
    return sum(future.result() for future in [inner.submit(part) for _ in range(4)])


def client() -> None:
    while True:
        outer.submit(chunk).result()


clients = [threading.Thread(target=client, name=f"client-{number}") for number in range(6)]
for one in clients:
    one.start()
for one in clients:
    one.join()
