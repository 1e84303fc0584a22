# SPDX-License-Identifier: Apache-2.0
"""`Process.join()` before the queue is emptied: the worker ends only when its results were taken."""

import multiprocessing
from multiprocessing.queues import Queue


def work(results: "Queue[bytes]") -> None:
    results.put(bytes(1_000_000))


if __name__ == "__main__":
    results: "Queue[bytes]" = multiprocessing.Queue()
    worker = multiprocessing.Process(target=work, args=(results,), name="worker")
    worker.start()
    worker.join()  # <- joins the worker
    results.get()
