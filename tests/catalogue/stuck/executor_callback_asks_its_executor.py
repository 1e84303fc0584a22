# SPDX-License-Identifier: Apache-2.0
"""A done-callback of an executor of processes submits the next step and waits for it: results come by the very thread
that it blocks."""

import concurrent.futures
import multiprocessing
import threading
from concurrent.futures import Future, ProcessPoolExecutor

done = threading.Event()


def step(number: int) -> int:
    return number + 1


class Chain:
    def __init__(self, executor: ProcessPoolExecutor) -> None:
        self.executor = executor

    def go_on(self, future: "Future[int]") -> None:
        threading.current_thread().name = "results"
        following = self.executor.submit(step, future.result())
        print(following.result())  # <- the callback waits for the next step
        done.set()


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as executor:
        executor.submit(step, 1).add_done_callback(Chain(executor).go_on)
        done.wait()
