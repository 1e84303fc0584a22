# SPDX-License-Identifier: Apache-2.0
"""Two processes wait at a barrier for a third, which has crashed."""

import multiprocessing
from multiprocessing.synchronize import Barrier


def rank(number: int, ready: Barrier) -> None:
    if number == 0:
        raise SystemExit(3)
    ready.wait()  # <- waits at the barrier


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    ready = context.Barrier(3)
    for number in range(2):
        context.Process(target=rank, args=(number, ready), daemon=True).start()
    rank(2, ready)
