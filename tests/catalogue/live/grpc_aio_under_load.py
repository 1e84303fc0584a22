# SPDX-License-Identifier: Apache-2.0
"""A grpc.aio server without generated code: unary calls and long streams, with busy clients in the same process."""

import asyncio
from collections.abc import AsyncIterator

import grpc.aio


async def price(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
    await asyncio.sleep(0.005)
    return request.upper()


async def watch(request: bytes, context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
    while True:
        await asyncio.sleep(0.5)
        yield request


async def ask(channel: grpc.aio.Channel) -> None:
    call = channel.unary_unary("/shop.Prices/Price")
    while True:
        await call(b"apple")


async def follow(channel: grpc.aio.Channel) -> None:
    async for change in channel.unary_stream("/shop.Prices/Watch")(b"pear"):
        print(change)


async def main() -> None:
    server = grpc.aio.server()
    handlers = {
        "Price": grpc.unary_unary_rpc_method_handler(price),
        "Watch": grpc.unary_stream_rpc_method_handler(watch),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.Prices", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        await asyncio.gather(*(ask(channel) for _ in range(5)), *(follow(channel) for _ in range(3)))


asyncio.run(main())
