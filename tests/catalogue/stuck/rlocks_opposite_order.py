# SPDX-License-Identifier: Apache-2.0
"""The same with reentrant locks, which know their owner."""

import threading
import time


class Registry:
    def __init__(self) -> None:
        self.names = threading.RLock()
        self.hooks = threading.RLock()

    def register(self) -> None:
        with self.names:  # <- register takes names
            time.sleep(0.1)
            with self.hooks:  # <- register waits for hooks
                print("registered")

    def notify(self) -> None:
        with self.hooks:  # <- notify takes hooks
            time.sleep(0.1)
            with self.names:  # <- notify waits for names
                print("notified")


registry = Registry()
threading.Thread(target=registry.register, name="register").start()
threading.Thread(target=registry.notify, name="notify").start()
