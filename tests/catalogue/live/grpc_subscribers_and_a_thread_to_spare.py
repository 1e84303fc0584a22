# SPDX-License-Identifier: Apache-2.0
"""A gRPC server of three threads: two subscribers wait for news, which a third call brings once in a while."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc

boxes: list[queue.Queue[bytes]] = []


def subscribe(_request: bytes, _context: Any) -> Iterator[bytes]:
    box: queue.Queue[bytes] = queue.Queue()
    boxes.append(box)
    while True:
        yield box.get()


def publish(request: bytes, _context: Any) -> bytes:
    for box in boxes:
        box.put(request)
    return b"sent"


class News(grpc.GenericRpcHandler):
    def service(self, handler_call_details: Any) -> Any:
        rpc: Any = grpc
        if handler_call_details.method.endswith("Publish"):
            return rpc.unary_unary_rpc_method_handler(publish)
        return rpc.unary_stream_rpc_method_handler(subscribe)


def read(channel: Any) -> None:
    news = channel.unary_stream("/shop.News/Subscribe")(b"")
    for _ in news:
        pass


def main() -> None:
    server = grpc.server(futures.ThreadPoolExecutor(3, thread_name_prefix="rpc"))
    server.add_generic_rpc_handlers((News(),))
    channel: Any = grpc.insecure_channel(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
    server.start()
    for number in range(2):
        threading.Thread(target=read, args=(channel,), name=f"reader-{number}", daemon=True).start()
    while True:
        time.sleep(2)
        channel.unary_unary("/shop.News/Publish")(b"news")


main()
