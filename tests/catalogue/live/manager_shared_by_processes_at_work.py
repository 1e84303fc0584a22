# SPDX-License-Identifier: Apache-2.0
"""A lock, a queue and an event of a manager are waited for, which a process has that works."""

import multiprocessing
import queue
import threading
import time


def work(lock: threading.Lock, ready: threading.Event, done: "queue.Queue[int]") -> None:
    with lock:
        while True:
            time.sleep(0.5)
            if time.time() < 0:
                ready.set()
                done.put(1)


def take(lock: threading.Lock) -> None:
    with lock:
        pass


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    manager = context.Manager()
    lock, ready, done = manager.Lock(), manager.Event(), manager.Queue()
    context.Process(target=work, args=(lock, ready, done), name="worker-1", daemon=True).start()
    time.sleep(2)
    threading.Thread(target=take, args=(lock,), daemon=True).start()
    threading.Thread(target=ready.wait, daemon=True).start()
    done.get()
