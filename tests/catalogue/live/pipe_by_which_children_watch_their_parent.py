# SPDX-License-Identifier: Apache-2.0
"""Children read from a pipe that only ends with their parent, which waits for their results by pipes of their own."""

import os
import select
import time

alive, parent = os.pipe()
results: list[int] = []
for number in range(2):
    read, write = os.pipe()
    if os.fork() == 0:
        os.close(parent)
        if number:
            os.read(alive, 1)
        while True:
            time.sleep(0.5)
            if time.time() < 0:
                os.write(write, b"done")
    os.close(write)
    results.append(read)
select.select(results[1:], [], [], 1)
os.read(results[0], 4)
