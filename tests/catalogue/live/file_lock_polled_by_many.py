# SPDX-License-Identifier: Apache-2.0
"""Six threads try for a lock of filelock again and again; each has it for a moment."""

import tempfile
import threading
import time

from filelock import FileLock

with tempfile.TemporaryDirectory() as folder:
    path = f"{folder}/cache.lock"

    def work() -> None:
        while True:
            with FileLock(path):
                time.sleep(0.1)

    threads = [threading.Thread(target=work, name=f"worker-{number}") for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
