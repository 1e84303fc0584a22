# SPDX-License-Identifier: Apache-2.0
"""Each of three workers maps its own parts over the executor that it is a worker of, and waits for them."""

import threading
from concurrent.futures import ThreadPoolExecutor

pool = ThreadPoolExecutor(3, "mapper")
all_three = threading.Barrier(3)


def part(number: int) -> int:
    return number * number


def chunk(number: int) -> int:
    all_three.wait()
    return sum(pool.map(part, range(number, number + 3)))  # <- maps


print(list(pool.map(chunk, range(3))))
