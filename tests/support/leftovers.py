# SPDX-License-Identifier: Apache-2.0
"""A test that leaves a thread behind fails itself. Otherwise others fail, which see that thread and its tasks."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

_PATIENCE_S = 20.0
_SOON_S = 0.5


@contextmanager
def nothing_left(*stays: str) -> Generator[None]:
    """AssertionError at the end of the block where threads of it still run, a while later too.

    `stays`: what the name of a thread ends with that a library may leave behind.
    """
    before = set(threading.enumerate())
    yield
    end = time.monotonic() + _PATIENCE_S
    left: list[str] = []
    for thread in set(threading.enumerate()) - before:
        if thread.name.endswith(stays):
            continue
        thread.join(_SOON_S)
        if thread.is_alive():
            gc.collect()  # the thread of an executor that nobody shut down ends with it
            thread.join(max(0.0, end - time.monotonic()))
        if thread.is_alive():
            left.append(thread.name)
    assert left == [], "threads that the test started still run"
