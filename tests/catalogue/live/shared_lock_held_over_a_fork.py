# SPDX-License-Identifier: Apache-2.0
"""A process is started while its parent has a `multiprocessing.Lock`, for which it waits until the parent is done."""

import multiprocessing
import time
from multiprocessing.synchronize import Lock


def report(lock: Lock) -> None:
    with lock:
        pass


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    lock = context.Lock()
    with lock:
        reporter = context.Process(target=report, args=(lock,), name="reporter")
        reporter.start()
        time.sleep(3600)
    reporter.join()
