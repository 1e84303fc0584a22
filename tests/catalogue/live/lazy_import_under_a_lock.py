# SPDX-License-Identifier: Apache-2.0
"""Two threads import lazily while they hold a lock, in turn; the module takes no lock."""

import importlib
import sys
import threading
import time

lock = threading.Lock()


def work() -> None:
    while True:
        with lock:
            sys.modules.pop("lazy_import_under_a_lock", None)
            importlib.import_module("lazy_import_under_a_lock")
            time.sleep(0.05)
        time.sleep(0.01)


if __name__ == "__main__":
    for number in range(2):
        threading.Thread(target=work, name=f"worker-{number}").start()
else:
    time.sleep(0.1)
