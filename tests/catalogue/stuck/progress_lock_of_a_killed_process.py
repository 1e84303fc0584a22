# SPDX-License-Identifier: Apache-2.0
"""A class that hands `acquire()` on to several locks, as progress bars have it for processes and threads; the process
that had them was killed. After a report on tqdm, number 1751."""

import multiprocessing
import threading
import time
from multiprocessing.synchronize import Event
from typing import Any


class OutputLock:
    def __init__(self) -> None:
        self.locks: list[Any] = [multiprocessing.get_context("fork").RLock(), threading.RLock()]

    def acquire(self, *how: Any, **named: Any) -> None:
        for lock in self.locks:
            lock.acquire(*how, **named)  # <- wants to print

    def release(self) -> None:
        for lock in reversed(self.locks):
            lock.release()


def work(output: OutputLock, ready: Event) -> None:
    output.acquire()
    ready.set()
    time.sleep(3600)


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    output, ready = OutputLock(), context.Event()
    worker = context.Process(target=work, args=(output, ready), name="worker")
    worker.start()
    ready.wait()
    time.sleep(2)
    worker.kill()
    worker.join()
    output.acquire()
