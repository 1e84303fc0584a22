# SPDX-License-Identifier: Apache-2.0
"""A build has a lock of filelock and waits for its pool, whose thread tries for the same file again and again."""

import tempfile
from concurrent.futures import ThreadPoolExecutor

from filelock import FileLock

with tempfile.TemporaryDirectory() as folder:
    path = f"{folder}/cache.lock"

    def compile_one(number: int) -> int:
        with FileLock(path):  # <- the pool's thread tries for the lock
            return number

    with FileLock(path), ThreadPoolExecutor(1, "pool") as pool:  # <- main has the lock
        pool.submit(compile_one, 1).result()  # <- main waits for the pool
