# SPDX-License-Identifier: Apache-2.0
"""A process is killed while it has a lock of a manager, for which its parent waits."""

import multiprocessing
import os
import signal
from threading import Event, Lock


def import_all(lock: Lock, ready: Event) -> None:
    lock.acquire()
    ready.set()
    signal.pause()


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    manager = context.Manager()
    lock, ready = manager.Lock(), manager.Event()
    importer = context.Process(target=import_all, args=(lock, ready), name="importer")
    importer.start()
    ready.wait()
    os.kill(importer.pid or 0, signal.SIGKILL)
    importer.join()
    with lock:  # <- wants the lock
        pass
