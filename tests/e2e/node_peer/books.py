# SPDX-License-Identifier: Apache-2.0
"""A gRPC service that never answers, and a client of one in Node.js: `books.py PORT PRICES_PORT`."""

from __future__ import annotations

import asyncio
import sys
from typing import Any, cast

import grpc
import grpc.aio


async def hang(_request: bytes, _context: Any) -> bytes:
    return await asyncio.get_running_loop().create_future()


class Books(grpc.GenericRpcHandler):
    def service(self, handler_call_details: Any) -> Any:
        return cast("Any", grpc).unary_unary_rpc_method_handler(hang)


async def read(prices: Any) -> None:
    await prices.unary_unary("/shop.Prices/Read")(b"", wait_for_ready=True)


async def order(prices: Any) -> None:
    await prices.unary_unary("/shop.Prices/Hang")(b"")


async def main(port: int, prices_port: int) -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Books(),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{prices_port}") as prices:
        await read(prices)
        task = asyncio.create_task(order(prices), name="order")
        print("books: calls", flush=True)
        await task


asyncio.run(main(*map(int, sys.argv[1:])))
