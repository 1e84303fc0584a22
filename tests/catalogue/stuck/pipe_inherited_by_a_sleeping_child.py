# SPDX-License-Identifier: Apache-2.0
"""What a child writes is read to its end, but another child, which only sleeps, has inherited the pipe."""

import os
import time

read, write = os.pipe()
if os.fork() == 0:
    os.write(write, b"result")
    os._exit(0)
if os.fork() == 0:
    while True:
        time.sleep(3600)
os.close(write)
with os.fdopen(read, "rb") as results:
    results.read()  # <- reads to the end
