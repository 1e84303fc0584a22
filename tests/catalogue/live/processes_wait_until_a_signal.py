# SPDX-License-Identifier: Apache-2.0
"""Processes wait for an event that they share, which only the handler of a signal sets."""

import multiprocessing
import signal
from multiprocessing.synchronize import Event
from types import FrameType


def worker(stop: Event) -> None:
    stop.wait()


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    stop = context.Event()
    workers = [context.Process(target=worker, args=(stop,)) for _ in range(2)]
    for process in workers:
        process.start()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    for process in workers:
        process.join()
