# SPDX-License-Identifier: Apache-2.0
"""The wakeup descriptor of signals: C code writes to it, and a worker waits at the other end of a pipe of ours."""

import os
import signal
import threading


def woken(_number: int, _frame: object) -> None:
    """The byte in the pipe says all there is to say."""


signal.signal(signal.SIGUSR1, woken)
wake_in, wake_out = os.pipe()
os.set_blocking(wake_out, False)
signal.set_wakeup_fd(wake_out)
jobs_in, jobs_out = os.pipe()


def work() -> None:
    while os.read(jobs_in, 1):
        pass


threading.Thread(target=work, name="worker", daemon=True).start()
while number := os.read(wake_in, 1):
    os.write(jobs_out, number)
