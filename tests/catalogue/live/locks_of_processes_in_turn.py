# SPDX-License-Identifier: Apache-2.0
"""Three processes have the lock on a file and one of a manager in turn, for a second each, always in one order."""

import multiprocessing
import tempfile
import time
from threading import Lock

from filelock import FileLock


def work(path: str, lock: Lock) -> None:
    while True:
        with FileLock(path):
            time.sleep(1)
            with lock:
                time.sleep(0.3)
        with lock:
            time.sleep(1)


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    lock = context.Manager().Lock()
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):
            context.Process(target=work, args=(f"{folder}/turn.lock", lock), daemon=True).start()
        work(f"{folder}/turn.lock", lock)
