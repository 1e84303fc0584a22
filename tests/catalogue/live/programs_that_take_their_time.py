# SPDX-License-Identifier: Apache-2.0
"""Answers of programs are waited for that sleep, that are fed by a thread, and that run in a shell."""

import subprocess
import threading
import time
from typing import IO

_PIPE = subprocess.PIPE


def read(stream: IO[bytes]) -> None:
    stream.readline()


def feed(stream: IO[bytes]) -> None:
    time.sleep(3600)
    stream.write(b"x\n")
    stream.close()


slow = subprocess.Popen(["sh", "-c", "sleep 3600; echo done"], stdout=_PIPE)
fed = subprocess.Popen(["cat"], stdin=_PIPE, stdout=_PIPE)
piped = subprocess.Popen("(sleep 3600; echo done) | cat", shell=True, stdout=_PIPE)
assert fed.stdin is not None
threading.Thread(target=feed, args=(fed.stdin,), daemon=True).start()
for program in (slow, fed, piped):
    assert program.stdout is not None
    threading.Thread(target=read, args=(program.stdout,), daemon=True).start()
time.sleep(3600)
