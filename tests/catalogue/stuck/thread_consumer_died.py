# SPDX-License-Identifier: Apache-2.0
"""The only thread that takes from a queue dies of one bad item; whoever fills the queue waits for room for ever."""

import queue
import threading

rows: queue.Queue[str] = queue.Queue(maxsize=4)


def write() -> None:
    while True:
        store(rows.get())


def store(row: str) -> None:
    int(row)  # <- writer dies


def read() -> None:
    for number in range(100):
        rows.put(str(number) if number != 3 else "three")  # <- reader waits for room


threading.Thread(target=write, name="writer").start()
threading.Thread(target=read, name="reader").start()
