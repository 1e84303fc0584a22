# SPDX-License-Identifier: Apache-2.0
"""A grpc.aio server without generated code: unary calls and long streams, with busy clients in the same process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc.aio


async def price(request: bytes, _: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
    await asyncio.sleep(0.005)
    return request.upper()


async def watch(request: bytes, _: grpc.aio.ServicerContext[bytes, bytes]) -> AsyncIterator[bytes]:
    while True:
        await asyncio.sleep(0.5)
        yield request


async def ask(channel: grpc.aio.Channel) -> None:
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/shop.Prices/Price")
    while True:
        await call(b"apple")


async def follow(channel: grpc.aio.Channel) -> None:
    call: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream("/shop.Prices/Watch")
    async for change in call(b"pear"):
        print(change)


async def main() -> None:
    server = grpc.aio.server()
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "Price": grpc.unary_unary_rpc_method_handler(price),
        "Watch": grpc.unary_stream_rpc_method_handler(watch),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.Prices", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        await asyncio.gather(*(ask(channel) for _ in range(5)), *(follow(channel) for _ in range(3)))


asyncio.run(main())
