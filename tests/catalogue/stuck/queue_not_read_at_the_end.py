# SPDX-License-Identifier: Apache-2.0
"""The program is over, but a queue still has items that nobody will read: its only reader has failed."""

import multiprocessing
from multiprocessing.queues import Queue


def work(files: "Queue[str]") -> None:
    files.get()
    raise SystemExit(1)


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    files: "Queue[str]" = context.Queue()
    worker = context.Process(target=work, args=(files,), name="worker-1")
    worker.start()
    for _ in range(4000):
        files.put("x" * 100)
    worker.join()
