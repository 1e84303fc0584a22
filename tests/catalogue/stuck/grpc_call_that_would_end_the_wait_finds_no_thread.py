# SPDX-License-Identifier: Apache-2.0
"""A gRPC server of one thread: `Wait` waits for an event that `Notify` would set, for which no thread is left."""

from __future__ import annotations

import threading
import time
from concurrent import futures
from typing import Any

import grpc

done = threading.Event()


def wait(_request: bytes, _context: Any) -> bytes:
    done.wait()  # <- Wait waits
    return b"waited"


def notify(_request: bytes, _context: Any) -> bytes:
    done.set()
    return b"set"


class Orders(grpc.GenericRpcHandler):
    def service(self, handler_call_details: Any) -> Any:
        rpc: Any = grpc
        return rpc.unary_unary_rpc_method_handler(wait if handler_call_details.method.endswith("Wait") else notify)


def main() -> None:
    server = grpc.server(futures.ThreadPoolExecutor(1, thread_name_prefix="rpc"))
    server.add_generic_rpc_handlers((Orders(),))
    channel: Any = grpc.insecure_channel(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
    server.start()
    threading.Thread(target=channel.unary_unary("/shop.Orders/Wait"), args=(b"",), name="buyer").start()
    time.sleep(0.5)
    channel.unary_unary("/shop.Orders/Notify")(b"")


main()
