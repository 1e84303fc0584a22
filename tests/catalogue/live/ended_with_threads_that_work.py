# SPDX-License-Identifier: Apache-2.0
"""The main thread has ended; two threads that are no daemons go on, one feeds the other now and then."""

import queue
import threading
import time

jobs: queue.Queue[int] = queue.Queue()


def feed() -> None:
    while True:
        time.sleep(5)
        jobs.put(1)


def work() -> None:
    while True:
        jobs.get()


threading.Thread(target=feed, name="feeder").start()
threading.Thread(target=work, name="worker").start()
