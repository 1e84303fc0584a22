# SPDX-License-Identifier: Apache-2.0
"""A thread that holds a plain lock logs, and the logging hook takes the lock again."""

import threading

log_lock = threading.Lock()


def log(text: str) -> None:
    with log_lock:  # <- waits
        print(text)


def rotate() -> None:
    with log_lock:  # <- takes
        log("rotated")


threading.Thread(target=rotate, name="rotate").start()
