# SPDX-License-Identifier: Apache-2.0
"""Two services call each other while each holds the lock that the other one's answer needs.

`shop` takes its lock to place an order and asks `inventory` for the stock; `inventory` takes its own to count and asks
`shop` for its orders. Each answer needs the lock of the one who is asked. Both services are idle and healthy, no
request ends, so no trace is ever sent, and neither process can see the ring alone.

Needs fastapi, uvicorn, httpx and their instrumentations (`opentelemetry-instrumentation-fastapi` and `-httpx`).
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI

NAME = "fastapi-two-way-deadlock"


def service(other: str) -> FastAPI:
    """`/update` needs the books of both services, `/read` its own alone."""
    app = FastAPI()
    books = asyncio.Lock()

    @app.get("/update")
    async def update() -> str:
        async with books:
            await asyncio.sleep(0.5)  # count
            async with httpx.AsyncClient(timeout=None) as client:
                return (await client.get(f"http://{other}/read")).text

    @app.get("/read")
    async def read() -> str:
        async with books:
            return "42"

    return app


def start(name: str, port: int, other: int) -> subprocess.Popen[bytes]:
    """The service as a process of its own, instrumented like this one."""
    command = [sys.executable, __file__, str(port), str(other)]
    instrument = Path(sys.executable).with_name("opentelemetry-instrument")
    if any(module.startswith("opentelemetry.instrumentation") for module in sys.modules):
        command = [str(instrument), *command]
    return subprocess.Popen(command, env=os.environ | {"OTEL_SERVICE_NAME": name})


async def customers(ports: tuple[int, int]) -> None:
    """One for each service, at the same moment."""
    async with httpx.AsyncClient(timeout=None) as client:
        for port in ports:
            while True:
                try:
                    await client.get(f"http://127.0.0.1:{port}/read")
                    break
                except httpx.ConnectError:
                    await asyncio.sleep(0.1)
        print(f"{NAME}: shop and inventory ask each other, each with its books locked", flush=True)
        await asyncio.gather(*(client.get(f"http://127.0.0.1:{port}/update") for port in ports))


def free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        for listening in (one, other):
            listening.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def leave(*_: object) -> None:
    sys.exit(0)


def main() -> None:
    signal.signal(signal.SIGTERM, leave)
    shop, inventory = free_ports()
    services = [start("shop", shop, inventory), start("inventory", inventory, shop)]
    try:
        asyncio.run(customers((shop, inventory)))
    finally:
        for process in services:
            process.kill()


if len(sys.argv) > 1:
    uvicorn.run(service(f"127.0.0.1:{sys.argv[2]}"), port=int(sys.argv[1]), log_level="warning")
else:
    main()
