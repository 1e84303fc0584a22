# SPDX-License-Identifier: Apache-2.0
"""The main thread ends with a lock that it took by a bare `acquire()`; a worker that is no daemon waits for it."""

import threading
import time

shared = threading.Lock()


def work() -> None:
    time.sleep(0.3)
    with shared:  # <- worker waits
        print("worked")


threading.Thread(target=work, name="worker").start()
shared.acquire()
