# SPDX-License-Identifier: Apache-2.0
"""A lock is held while the result of a job is waited for, and the job's process wants that lock."""

import multiprocessing
import threading
from concurrent.futures import ProcessPoolExecutor

context = multiprocessing.get_context("fork")
written = context.Lock()


def save(row: str) -> int:
    threading.current_thread().name = "saver"
    with written:  # <- the job wants the lock
        return len(row)


if __name__ == "__main__":
    with ProcessPoolExecutor(2, mp_context=context) as pool, written:
        pool.submit(save, "row").result()  # <- main waits for the job
