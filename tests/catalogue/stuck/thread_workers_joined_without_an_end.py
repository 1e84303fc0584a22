# SPDX-License-Identifier: Apache-2.0
"""A worker thread has done all jobs of a `queue.Queue`; the main thread joins it, but nobody has told it to end."""

import queue
import threading

jobs: queue.Queue[str] = queue.Queue(maxsize=10)


def work() -> None:
    while True:
        job = jobs.get()  # <- next job
        print(job)
        jobs.task_done()


worker = threading.Thread(target=work, name="mailer")
worker.start()
for number in range(20):
    jobs.put(f"mail {number}")
jobs.join()
worker.join()
