# SPDX-License-Identifier: Apache-2.0
"""A `ProcessPoolExecutor` of which one worker has a long job, and the others wait for one."""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor


def job(seconds: float) -> None:
    time.sleep(seconds)


if __name__ == "__main__":
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("fork")) as pool:
        for future in [pool.submit(job, 0.1), pool.submit(job, 0.1), pool.submit(job, 3600)]:
            future.result()
