# SPDX-License-Identifier: Apache-2.0
"""A process waits for the lock on a file that its child has, and the child waits for a word from it."""

import fcntl
import multiprocessing
import tempfile
import threading
from multiprocessing.connection import Connection


def migrate(path: str, parent: Connection) -> None:
    threading.current_thread().name = "migrate"
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        parent.send("locked")
        parent.recv()  # <- the child waits for its parent


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    with tempfile.TemporaryDirectory() as folder, open(f"{folder}/job.lock", "w") as job:
        context.Process(target=migrate, args=(job.name, theirs), daemon=True).start()
        ours.recv()
        fcntl.flock(job, fcntl.LOCK_EX)  # <- the parent waits for the lock
        ours.send("go on")
