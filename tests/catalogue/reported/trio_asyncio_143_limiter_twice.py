# SPDX-License-Identifier: Apache-2.0
"""python-trio/trio-asyncio#143: an executor takes a token of its limiter and then calls what takes one as well.

Every job passes the first stage, all tokens are gone, and each waits for a second token.
"""

import anyio
import anyio.to_thread


class Executor:
    def __init__(self, threads: int) -> None:
        self.limiter = anyio.CapacityLimiter(threads)

    async def submit(self, number: int) -> int:
        job = object()
        await self.limiter.acquire_on_behalf_of(job)
        try:
            await anyio.sleep(0.05)
            return await anyio.to_thread.run_sync(lambda: number, limiter=self.limiter)  # <- waits for token
        finally:
            self.limiter.release_on_behalf_of(job)


async def main() -> None:
    executor = Executor(2)
    async with anyio.create_task_group() as group:
        for number in range(2):
            group.start_soon(executor.submit, number, name=f"job-{number}")


anyio.run(main)
