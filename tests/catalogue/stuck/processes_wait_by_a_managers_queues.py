# SPDX-License-Identifier: Apache-2.0
"""A process waits for a job and its parent for the answer; nobody has put the job."""

import multiprocessing
import queue
import threading


def work(jobs: "queue.Queue[str]", done: "queue.Queue[str]") -> None:
    threading.current_thread().name = "worker"
    done.put(jobs.get())  # <- the worker waits for a job


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    manager = context.Manager()
    jobs, done = manager.Queue(), manager.Queue()
    context.Process(target=work, args=(jobs, done), daemon=True).start()
    done.get()  # <- main waits for an answer
