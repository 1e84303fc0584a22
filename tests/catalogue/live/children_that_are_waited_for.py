# SPDX-License-Identifier: Apache-2.0
"""Child processes at work: one is joined, of another the output is read, a third writes to nobody's pipe."""

import multiprocessing
import subprocess
import sys
import threading
import time


def work() -> None:
    time.sleep(3600)


def read(child: "subprocess.Popen[bytes]") -> None:
    assert child.stdout is not None
    while child.stdout.read(100_000):
        time.sleep(0.2)


if __name__ == "__main__":
    talks = [sys.executable, "-c", "while True: print('x' * 100_000)"]
    talker = subprocess.Popen(talks, stdout=subprocess.PIPE)
    silent = subprocess.Popen(talks, stdout=subprocess.DEVNULL)
    worker = multiprocessing.Process(target=work, name="worker")
    worker.start()
    for target in (worker.join, silent.wait, talker.wait):
        threading.Thread(target=target).start()
    read(talker)
