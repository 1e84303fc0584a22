# SPDX-License-Identifier: Apache-2.0
"""Threads that wait for a database, a message queue and a gRPC service, by clients and instrumentations as they come:
`clients_in_flight.py GRPC_PORT [POSTGRES_PORT REDIS_PORT]`; with one port it is that service."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc


def reserve(_request: bytes, _context: object) -> bytes:
    time.sleep(3600)
    return b""


class Inventory(grpc.GenericRpcHandler):
    def service(self, handler_call_details: object) -> Any:
        return grpc.unary_unary_rpc_method_handler(reserve)  # pyright: ignore[reportUnknownVariableType]  # grpc has no types


def serve(port: int) -> None:
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((Inventory(),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    print("inventory: serves", flush=True)
    server.wait_for_termination()


def call(port: int) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        channel.unary_unary("/shop.Inventory/Reserve")(b"", wait_for_ready=True)


def query(port: int) -> None:
    import psycopg

    with psycopg.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres") as connection:
        connection.execute("SELECT pg_sleep(3600)")


def take(port: int) -> None:
    import redis

    redis.Redis(host="127.0.0.1", port=port).blpop(["jobs"], timeout=0)


def main() -> None:
    ports = [int(port) for port in sys.argv[1:]]
    if len(ports) == 1:
        serve(ports[0])
        return
    works: list[Callable[[int], None]] = [call, query, take]
    for work, port in zip(works, ports, strict=True):
        threading.Thread(target=work, args=(port,), name=work.__name__, daemon=True).start()
    print("shop: calls", flush=True)
    time.sleep(3600)


main()
