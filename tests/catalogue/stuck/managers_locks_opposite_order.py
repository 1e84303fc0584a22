# SPDX-License-Identifier: Apache-2.0
"""Two processes take two locks of a manager in opposite order."""

import multiprocessing
import threading
from multiprocessing.synchronize import Barrier
from threading import Lock


def debit(mine: Lock, yours: Lock, ready: Barrier) -> None:
    threading.current_thread().name = "debit"
    with mine:  # <- debit takes mine
        ready.wait()
        with yours:  # <- debit wants yours
            pass


def credit(mine: Lock, yours: Lock, ready: Barrier) -> None:
    threading.current_thread().name = "credit"
    with yours:  # <- credit takes yours
        ready.wait()
        with mine:  # <- credit wants mine
            pass


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    manager = context.Manager()
    mine, yours, ready = manager.Lock(), manager.Lock(), context.Barrier(2)
    context.Process(target=credit, args=(mine, yours, ready), daemon=True).start()
    debit(mine, yours, ready)
