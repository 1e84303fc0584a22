# SPDX-License-Identifier: Apache-2.0
"""Processes wait for an event that they share, which only the handler of a signal sets."""

import multiprocessing
import signal
from multiprocessing.synchronize import Event


def worker(stop: Event) -> None:
    stop.wait()


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    stop = context.Event()
    workers = [context.Process(target=worker, args=(stop,)) for _ in range(2)]
    for process in workers:
        process.start()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    for process in workers:
        process.join()
