# SPDX-License-Identifier: Apache-2.0
"""A process has the lock on a file while it computes for seconds at a time; its parent does something else meanwhile,
and tries for the lock with a timeout."""

import multiprocessing
import tempfile
import time

from filelock import FileLock, Timeout


def compute(path: str) -> None:
    while True:
        with FileLock(path):
            time.sleep(6)
        time.sleep(0.2)


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/index.lock"
        context.Process(target=compute, args=(path,), daemon=True).start()
        while True:
            try:
                with FileLock(path, timeout=1.5):
                    time.sleep(0.1)
            except Timeout:
                time.sleep(0.5)
