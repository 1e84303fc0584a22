# SPDX-License-Identifier: Apache-2.0
"""A loop waits in `Event.wait()` for a callback that a thread has sent to that same loop."""

from __future__ import annotations

import asyncio
import threading


async def main() -> None:
    loop, done = asyncio.get_running_loop(), threading.Event()

    def read() -> None:
        loop.call_soon_threadsafe(done.set)

    threading.Thread(target=read, name="reader").start()
    done.wait()  # <- main waits


asyncio.run(main())
