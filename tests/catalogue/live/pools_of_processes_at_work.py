# SPDX-License-Identifier: Apache-2.0
"""Results of pools are waited for whose workers sleep, start slowly, are replaced by design, or get work late."""

import multiprocessing
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor


def work(_number: int) -> None:
    time.sleep(3600)


def short(_number: int) -> None:
    time.sleep(0.3)


def late() -> Iterator[int]:
    time.sleep(3600)
    yield 1


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    at_work, starting = context.Pool(2), context.Pool(1, initializer=work, initargs=(0,))
    replaced, executor = context.Pool(1, maxtasksperchild=1), ProcessPoolExecutor(1, mp_context=context)
    future = executor.submit(work, 1)
    for wait in (
        lambda: at_work.map(work, [1]),
        lambda: starting.map(short, [1]),
        lambda: replaced.map(short, range(1000), chunksize=1),
        lambda: next(at_work.imap(short, late())),
        future.result,
    ):
        threading.Thread(target=wait, daemon=True).start()
    time.sleep(3600)
