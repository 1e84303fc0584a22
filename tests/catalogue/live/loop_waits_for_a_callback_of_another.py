# SPDX-License-Identifier: Apache-2.0
"""The main thread waits for an event that another thread's loop sets by a timer, over and over."""

from __future__ import annotations

import asyncio
import threading


def main() -> None:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="loop", daemon=True).start()
    while True:
        done = threading.Event()
        loop.call_soon_threadsafe(loop.call_later, 2, done.set)
        done.wait()


main()
