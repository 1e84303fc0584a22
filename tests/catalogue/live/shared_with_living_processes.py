# SPDX-License-Identifier: Apache-2.0
"""Threads wait for what another process is to do: an item of a queue, an event, a lock, and the result of a pool."""

import multiprocessing
import threading
import time
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event, Lock


def work(jobs: "Queue[int]", ready: Event, lock: Lock) -> None:
    with lock:
        time.sleep(3600)
        ready.set()
        jobs.put(1)


def sleep(_number: int) -> None:
    time.sleep(3600)


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    pool = context.Pool(2)
    result = pool.map_async(sleep, [1, 2])
    jobs: "Queue[int]" = context.Queue()
    ready, lock = context.Event(), context.Lock()
    context.Process(target=work, args=(jobs, ready, lock), name="worker").start()
    time.sleep(1)
    for target in (jobs.get, ready.wait, lock.acquire, result.get):
        threading.Thread(target=target).start()
    time.sleep(3600)
