# SPDX-License-Identifier: Apache-2.0
"""Done-callbacks of an executor of processes take seconds and submit the next step; main waits for results beside."""

import concurrent.futures
import multiprocessing
import time
from concurrent.futures import Future


def step(number: int) -> int:
    time.sleep(0.5)
    return number + 1


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as executor:

        def go_on(future: "Future[int]") -> None:
            time.sleep(2.5)
            executor.submit(step, future.result()).add_done_callback(go_on)

        executor.submit(step, 1).add_done_callback(go_on)
        while True:
            print([future.result() for future in [executor.submit(step, number) for number in range(3)]])
