# SPDX-License-Identifier: Apache-2.0
"""The main thread waits for an event that a function would set which nobody who runs is about to call."""

import threading

ready = threading.Event()


def load() -> None:
    ready.set()


ready.wait()  # <- waits for ready
