# SPDX-License-Identifier: Apache-2.0
"""A worker process is killed inside `Queue.get()`: it had the queue's read lock, which nobody will release."""

import multiprocessing
import os
import signal
import time
from multiprocessing.queues import Queue


def work(jobs: "Queue[str]") -> None:
    jobs.get()


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    jobs: "Queue[str]" = context.Queue()
    worker = context.Process(target=work, args=(jobs,), name="worker-1")
    worker.start()
    time.sleep(2)
    os.kill(worker.pid or 0, signal.SIGKILL)
    worker.join()
    jobs.put("job-1")
    print(jobs.get())  # <- takes it back
