# SPDX-License-Identifier: Apache-2.0
"""A process is killed while it has a `multiprocessing.Lock`, for which the others wait."""

import multiprocessing
import time
from multiprocessing.synchronize import Event, Lock


def import_all(lock: Lock, ready: Event) -> None:
    with lock:
        ready.set()
        time.sleep(3600)


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    lock, ready = context.Lock(), context.Event()
    importer = context.Process(target=import_all, args=(lock, ready), name="importer")
    importer.start()
    ready.wait()
    time.sleep(2)
    importer.kill()
    importer.join()
    with lock:  # <- wants the lock
        pass
