# SPDX-License-Identifier: Apache-2.0
"""Two processes wait for an event that the other one would set next."""

import multiprocessing
from multiprocessing.synchronize import Event


def child(loaded: Event, go: Event) -> None:
    go.wait()
    loaded.set()


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    loaded, go = context.Event(), context.Event()
    context.Process(target=child, args=(loaded, go), name="child", daemon=True).start()
    loaded.wait()  # <- parent waits for loaded
    go.set()
