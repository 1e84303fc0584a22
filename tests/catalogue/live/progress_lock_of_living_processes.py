# SPDX-License-Identifier: Apache-2.0
"""Processes and threads share a lock by bare `acquire(block, timeout)`; each has it for a while, one for very long."""

import multiprocessing
import threading
import time
from multiprocessing.synchronize import Lock
from typing import Any


def draw(lock: Lock, *how: Any) -> None:
    while True:
        if lock.acquire(*how):
            time.sleep(0.3)
            lock.release()


def keep(lock: Lock) -> None:
    lock.acquire()
    time.sleep(3600)


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    shared, kept = context.Lock(), context.Lock()
    for number in range(2):
        context.Process(target=draw, args=(shared,), name=f"bar-{number}").start()
    context.Process(target=keep, args=(kept,), name="keeper").start()
    time.sleep(1)
    threading.Thread(target=draw, args=(shared, True, 0.5)).start()
    threading.Thread(target=draw, args=(kept,)).start()
    time.sleep(3600)
