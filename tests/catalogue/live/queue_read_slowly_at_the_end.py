# SPDX-License-Identifier: Apache-2.0
"""The main thread is over, and a queue still has items, which a process reads one after the other."""

import multiprocessing
import time
from multiprocessing.queues import Queue


def work(files: "Queue[str]") -> None:
    while True:
        files.get()
        time.sleep(0.01)


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    files: "Queue[str]" = context.Queue()
    context.Process(target=work, args=(files,), name="worker-1").start()
    for _ in range(100_000):
        files.put("x" * 1000)
