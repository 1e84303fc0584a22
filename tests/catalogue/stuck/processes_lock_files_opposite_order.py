# SPDX-License-Identifier: Apache-2.0
"""Two processes try for the locks on two files in opposite order; each has the one and tries for the other again and
again."""

import multiprocessing
import tempfile
import threading
from multiprocessing.synchronize import Barrier

from filelock import FileLock


def build(name: str, ready: Barrier, first: str, second: str) -> None:
    threading.current_thread().name = name
    with FileLock(first):  # <- has a lock
        ready.wait()
        with FileLock(second):  # <- wants the other lock
            pass


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    ready = context.Barrier(2)
    with tempfile.TemporaryDirectory() as folder:
        cache, index = f"{folder}/cache.lock", f"{folder}/index.lock"
        context.Process(target=build, args=("wheels", ready, index, cache), daemon=True).start()
        build("docs", ready, cache, index)
