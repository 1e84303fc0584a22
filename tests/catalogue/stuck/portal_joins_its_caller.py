# SPDX-License-Identifier: Apache-2.0
"""The loop behind an AnyIO portal joins a thread that waits for a call of that portal."""

from __future__ import annotations

import threading
import time

from anyio.from_thread import BlockingPortal, start_blocking_portal


async def read_state() -> int:
    return 1


class Device:
    def __init__(self, portal: BlockingPortal) -> None:
        self.portal = portal
        self.thread = threading.Thread(target=self.read, name="reader")

    def read(self) -> None:
        time.sleep(0.3)
        self.portal.call(read_state)  # <- reader waits

    async def stop(self) -> None:
        threading.current_thread().name = "portal"
        self.thread.start()
        self.thread.join()  # <- portal joins


with start_blocking_portal() as portal:
    portal.call(Device(portal).stop)
