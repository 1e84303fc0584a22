# SPDX-License-Identifier: Apache-2.0
"""Jobs of a pool of two submit to the same pool and wait for the result: both workers wait for jobs in the queue."""

import time
from concurrent.futures import ThreadPoolExecutor

pool = ThreadPoolExecutor(2, "render")


def thumbnail(page: int) -> int:
    return page


def render(page: int) -> int:
    time.sleep(0.1)
    small = pool.submit(thumbnail, page)
    return small.result()  # <- waits for thumbnail


pages = [pool.submit(render, page) for page in range(2)]
print([page.result() for page in pages])
