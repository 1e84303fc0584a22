# SPDX-License-Identifier: Apache-2.0
"""A gRPC call is cancelled, and its handler works on for nobody.

The caller gives up after two seconds. With the stock instrumentation of `grpc.aio` the cancellation ends the caller's
task but not the call, so that the other process never hears of it: the request is `detached`, its response still in
flight, and the handler keeps its lock. The next customer waits for that lock.

Needs grpcio and its instrumentation (`opentelemetry-instrumentation-grpc`).
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc

NAME = "grpc-cancelled-but-running"


books: asyncio.Lock


async def reserve(request: bytes, context: object) -> bytes:
    async with books:
        await asyncio.sleep(3600)  # a supplier that does not answer
        return b"reserved"


class Inventory(grpc.GenericRpcHandler):
    def service(self, handler_call_details: object) -> Any:
        return grpc.unary_unary_rpc_method_handler(reserve)  # pyright: ignore[reportUnknownVariableType]  # grpc has no types


async def serve(port: int) -> None:
    global books
    books = asyncio.Lock()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Inventory(),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


async def order(channel: grpc.aio.Channel) -> None:
    await channel.unary_unary("/shop.Inventory/Reserve")(b"", wait_for_ready=True)


async def customers(port: int) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        await channel.channel_ready()
        first = asyncio.create_task(order(channel), name="first-customer")
        await asyncio.sleep(2)
        first.cancel()
        print(f"{NAME}: the first customer has given up, the second one asks", flush=True)
        await asyncio.create_task(order(channel), name="second-customer")


def start(port: int) -> subprocess.Popen[bytes]:
    """The service as a process of its own, instrumented like this one."""
    command = [sys.executable, __file__, str(port)]
    instrument = Path(sys.executable).with_name("opentelemetry-instrument")
    if any(module.startswith("opentelemetry.instrumentation") for module in sys.modules):
        command = [str(instrument), *command]
    return subprocess.Popen(command, env=os.environ | {"OTEL_SERVICE_NAME": "inventory"})


def end(signal_number: int, frame: object) -> None:
    sys.exit(0)


def main() -> None:
    signal.signal(signal.SIGTERM, end)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    inventory = start(port)
    try:
        asyncio.run(customers(port))
    finally:
        inventory.kill()


if len(sys.argv) > 1:
    asyncio.run(serve(int(sys.argv[1])))
else:
    main()
