# SPDX-License-Identifier: Apache-2.0
"""Two processes wait at a barrier for a third, which still loads."""

import multiprocessing
import time
from multiprocessing.synchronize import Barrier


def rank(number: int, ready: Barrier) -> None:
    if number == 0:
        time.sleep(3600)
    ready.wait()


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    ready = context.Barrier(3)
    for number in range(2):
        context.Process(target=rank, args=(number, ready), daemon=True).start()
    rank(2, ready)
