# SPDX-License-Identifier: Apache-2.0
"""Whether the other service has begun to listen: for the scripts beside this one."""

from __future__ import annotations

import asyncio


async def until_it_listens(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
