# SPDX-License-Identifier: Apache-2.0
"""sqlalchemy/sqlalchemy#5581: two concurrent first connects, and a `threading.Lock` that is held across an await.

The first connect runs its initialisation under a thread lock and awaits the server's answer in it; the second blocks
the event loop on that lock, so the answer is never read.
"""

import asyncio
import threading


class Dialect:
    def __init__(self) -> None:
        self.once = threading.Lock()
        self.initialized = False

    async def first_connect(self) -> None:
        with self.once:  # <- takes once, blocks the loop
            if not self.initialized:
                await asyncio.sleep(0.05)  # <- connect-1 waits
                self.initialized = True


async def main() -> None:
    dialect = Dialect()
    async with asyncio.TaskGroup() as group:
        group.create_task(dialect.first_connect(), name="connect-1")
        group.create_task(dialect.first_connect(), name="connect-2")


asyncio.run(main())
