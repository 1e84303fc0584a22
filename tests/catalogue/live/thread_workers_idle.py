# SPDX-License-Identifier: Apache-2.0
"""Worker threads wait for jobs in a `queue.Queue`; the main thread waits to be told to end."""

import queue
import threading

jobs: queue.Queue[str] = queue.Queue(maxsize=10)


def work() -> None:
    while True:
        job = jobs.get()
        print(job)
        jobs.task_done()


workers = [threading.Thread(target=work, name=f"mailer-{number}", daemon=True) for number in range(4)]
for worker in workers:
    worker.start()
for number in range(20):
    jobs.put(f"mail {number}")
jobs.join()
threading.Event().wait()  # until a signal ends the program
