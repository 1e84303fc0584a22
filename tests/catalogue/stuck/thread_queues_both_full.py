# SPDX-License-Identifier: Apache-2.0
"""Two threads feed each other through small queues and neither takes before it has put: both queues are full."""

import queue
import threading

forward: queue.Queue[int] = queue.Queue(maxsize=2)
backward: queue.Queue[int] = queue.Queue(maxsize=2)


def parse() -> None:
    for number in range(100):
        forward.put(number)  # <- parse puts
    while True:
        backward.get()


def check() -> None:
    for number in range(100):
        backward.put(number)  # <- check puts
    while True:
        forward.get()


threading.Thread(target=parse, name="parse").start()
threading.Thread(target=check, name="check").start()
