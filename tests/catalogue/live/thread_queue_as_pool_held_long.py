# SPDX-License-Identifier: Apache-2.0
"""A pool of two connections on a queue.Queue: a listener keeps one for good, the other goes round."""

import queue
import threading
import time


def listen(free: queue.Queue[str]) -> None:
    connection = free.get()
    while connection:
        time.sleep(0.5)


def work(free: queue.Queue[str]) -> None:
    while True:
        connection = free.get()
        time.sleep(0.05)
        free.put(connection)


free: queue.Queue[str] = queue.Queue()
for number in range(2):
    free.put(f"connection {number}")
threads = [threading.Thread(target=listen, args=(free,), name="listener")]
threads += [threading.Thread(target=work, args=(free,), name=f"worker-{number}") for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
