# SPDX-License-Identifier: Apache-2.0
"""A thread opens the lock file anew and waits for the lock, which the thread that joins it has by its own opening."""

import fcntl
import tempfile
import threading

with tempfile.TemporaryDirectory() as folder, open(f"{folder}/job.lock", "w") as job:

    def again() -> None:
        with open(job.name, "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # <- again waits for the lock

    fcntl.flock(job, fcntl.LOCK_EX)
    other = threading.Thread(target=again, name="again")
    other.start()
    other.join()  # <- main waits for again
