# SPDX-License-Identifier: Apache-2.0
"""`loop.stop()` from another thread does not wake the loop: its thread sleeps on, and whoever joins it waits.

It only says that the loop is to stop when it comes round, which a loop without work never does.
"""

import asyncio
import threading


class Background:
    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="background")
        self.thread.start()

    def close(self) -> None:
        self.loop.stop()
        self.thread.join()


background = Background()
asyncio.run_coroutine_threadsafe(asyncio.sleep(1.5), background.loop).result()
threading.Event().wait(0.5)
background.close()
