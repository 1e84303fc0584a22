# SPDX-License-Identifier: Apache-2.0
"""The thread that was to set a module's event has died before it came to it."""

import threading

ready = threading.Event()


def load() -> None:
    open("/nowhere/model.bin").close()  # <- dies
    ready.set()


threading.Thread(target=load, name="loader").start()
ready.wait()  # <- waits for ready
