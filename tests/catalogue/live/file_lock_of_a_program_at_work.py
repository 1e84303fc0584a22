# SPDX-License-Identifier: Apache-2.0
"""A thread waits for a `lockf` that a program has which nobody watches; another for the `flock` of a child at work."""

import fcntl
import multiprocessing
import subprocess
import sys
import tempfile
import threading
import time
from multiprocessing.synchronize import Event

_CODE = "import fcntl, sys, time; f = open(sys.argv[1], 'w'); fcntl.lockf(f, 2); print(flush=True); time.sleep(3600)"


def work(path: str, ready: Event) -> None:
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        ready.set()
        while True:
            time.sleep(0.5)


def wait(path: str, how: str) -> None:
    with open(path, "w") as file:
        getattr(fcntl, how)(file, fcntl.LOCK_EX)


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    with tempfile.NamedTemporaryFile() as one, tempfile.NamedTemporaryFile() as other:
        program = subprocess.Popen([sys.executable, "-S", "-c", _CODE, one.name], stdout=subprocess.PIPE)
        assert program.stdout is not None
        program.stdout.readline()
        ready = context.Event()
        context.Process(target=work, args=(other.name, ready), daemon=True).start()
        ready.wait()
        for path, how in ((one.name, "lockf"), (other.name, "flock")):
            threading.Thread(target=wait, args=(path, how), daemon=True).start()
        time.sleep(3600)
