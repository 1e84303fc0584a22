# SPDX-License-Identifier: Apache-2.0
"""Threads with a lock, a bounded queue and an executor; everything is contended, everything moves."""

import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor

stats = threading.Lock()
tiles: queue.Queue[int] = queue.Queue(maxsize=2)
total = 0


def render(tile: int) -> int:
    time.sleep(0.02)
    return tile * tile


def paint() -> None:
    global total
    while True:
        tile = tiles.get()
        with stats:
            time.sleep(0.01)
            total += tile


painters = [threading.Thread(target=paint, name=f"painter-{number}", daemon=True) for number in range(3)]
for painter in painters:
    painter.start()
with ThreadPoolExecutor(4, "render") as pool:
    for number in range(1_000_000):
        tiles.put(pool.submit(render, number).result())
