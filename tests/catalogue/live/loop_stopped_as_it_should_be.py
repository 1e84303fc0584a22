# SPDX-License-Identifier: Apache-2.0
"""Loops in threads of their own that idle for a while and are stopped by `call_soon_threadsafe(loop.stop)`."""

import asyncio
import threading

for _ in range(100):
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="background")
    thread.start()
    asyncio.run_coroutine_threadsafe(asyncio.sleep(1), loop).result()
    threading.Event().wait(3)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
