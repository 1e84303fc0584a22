# SPDX-License-Identifier: Apache-2.0
"""A callback on the loop's thread submits a coroutine to that loop and blocks until it is done."""

import asyncio


async def load(key: str) -> str:
    await asyncio.sleep(0)
    return key


class Settings:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop

    def __getitem__(self, key: str) -> str:
        return asyncio.run_coroutine_threadsafe(load(key), self.loop).result()  # <- blocks the loop


async def serve() -> None:
    settings = Settings(asyncio.get_running_loop())
    await asyncio.sleep(0.2)
    print(settings["theme"])


async def main() -> None:
    await asyncio.create_task(serve(), name="serve")


asyncio.run(main())
