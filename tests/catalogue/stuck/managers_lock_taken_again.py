# SPDX-License-Identifier: Apache-2.0
"""A manager's lock, which is not reentrant, is taken again by a function that its holder calls, in a worker process."""

import multiprocessing
from typing import Any


def save(state: Any, lock: Any, key: str) -> None:
    with lock:  # <- updater waits
        state[key] += 1


def update_all(state: Any, lock: Any) -> None:
    with lock:  # <- updater takes it
        for key in state.keys():  # noqa: SIM118  a proxy has no other way
            save(state, lock, key)


if __name__ == "__main__":
    with multiprocessing.Manager() as manager:
        numbers, shared = manager.dict({"a": 1, "b": 2}), manager.Lock()
        worker = multiprocessing.Process(target=update_all, args=(numbers, shared), name="updater")
        worker.start()
        worker.join()
