# SPDX-License-Identifier: Apache-2.0
"""The main thread calls its AnyIO portal now and then: the loop behind it waits until the block is left."""

from __future__ import annotations

import time

from anyio.from_thread import start_blocking_portal


async def read_state() -> int:
    return 1


with start_blocking_portal() as portal:
    for _ in range(600):
        time.sleep(0.5)
        portal.call(read_state)
