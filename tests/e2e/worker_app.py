# SPDX-License-Identifier: Apache-2.0
"""An application whose every request hangs; as a program (`worker_app.py PORT`), somebody who makes eight of them."""

from __future__ import annotations

import asyncio
import sys

import httpx
from fastapi import FastAPI

app = FastAPI()


@app.get("/hang")
async def hang() -> None:
    await asyncio.get_running_loop().create_future()


async def ask(port: int) -> None:
    async with httpx.AsyncClient(timeout=None) as client:
        while True:
            try:
                await client.get(f"http://127.0.0.1:{port}/hang")
            except httpx.ConnectError:  # the workers have not begun
                await asyncio.sleep(0.1)


async def main(port: int) -> None:
    tasks = [asyncio.create_task(ask(port), name=f"caller-{number}") for number in range(8)]
    print("worker_app: asks", flush=True)
    await asyncio.gather(*tasks)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
