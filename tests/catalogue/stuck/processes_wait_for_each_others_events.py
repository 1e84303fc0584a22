# SPDX-License-Identifier: Apache-2.0
"""Two processes wait for an event that the other one would set next."""

import multiprocessing
import threading
from multiprocessing.synchronize import Event


def load(loaded: Event, go: Event) -> None:
    threading.current_thread().name = "loader"
    go.wait()  # <- loader waits for go
    loaded.set()


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    loaded, go = context.Event(), context.Event()
    context.Process(target=load, args=(loaded, go), daemon=True).start()
    loaded.wait()  # <- starter waits for loaded
    go.set()
