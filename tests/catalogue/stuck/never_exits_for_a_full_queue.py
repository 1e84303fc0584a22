# SPDX-License-Identifier: Apache-2.0
"""`main()` is over, and nobody takes what the logging thread, which is no daemon, still puts into a queue."""

import queue
import threading

lines: queue.Queue[str] = queue.Queue(maxsize=4)


def log() -> None:
    for number in range(10):
        lines.put(f"line {number}")  # <- logger waits for room


threading.Thread(target=log, name="logger").start()
print(lines.get())
