# SPDX-License-Identifier: Apache-2.0
"""Two pipes that are globals of the script: a request stays in its buffer, and both ends wait for a line."""

import os
import threading

requests_in, requests_out = (os.fdopen(fd, mode) for fd, mode in zip(os.pipe(), "rw", strict=True))
replies_in, replies_out = (os.fdopen(fd, mode) for fd, mode in zip(os.pipe(), "rw", strict=True))


def ask() -> None:
    requests_out.write("hello\n")
    print(replies_in.readline())  # <- ask waits


def answer() -> None:
    for line in requests_in:  # <- answer waits
        replies_out.write(line.upper())
        replies_out.flush()


threading.Thread(target=answer, name="answerer", daemon=True).start()
ask()
