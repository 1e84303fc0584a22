# SPDX-License-Identifier: Apache-2.0
"""Two workers of huey do jobs of some seconds each, and main waits for their results."""

import time
from typing import Any

from huey import MemoryHuey  # pyright: ignore[reportMissingTypeStubs]  # it has none
from huey.consumer import Consumer  # pyright: ignore[reportMissingTypeStubs]  # it has none

queue: Any = MemoryHuey("pictures")


@queue.task()
def scale(number: int) -> int:
    time.sleep(4)
    return number


consumer: Any = Consumer(queue, workers=2, worker_type="thread")
consumer.start()
while True:
    for job in [scale(number) for number in range(4)]:
        job(blocking=True)
