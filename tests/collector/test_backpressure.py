# SPDX-License-Identifier: Apache-2.0
"""A full queue: the sender is told to come again, in the words of its protocol."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import grpc
from google.rpc.status_pb2 import Status

from peeps_collector.receive.grpc_server import GrpcServer
from peeps_collector.receive.http_server import HttpReceiver
from peeps_collector.receive.request import Budget, Encoding, Outcome, Signal

LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


class Full:
    """An intake whose queue is full."""

    def __init__(self) -> None:
        self.budget = Budget(1000)

    async def submit(self, signal: Signal, encoding: Encoding, body: bytes, sender: str) -> Outcome:
        self.budget.give(len(body))
        return Outcome(retry=True, message="the collector's queue is full; retry later")


def test_http_says_503_and_when_to_retry() -> None:
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/logs",
        "headers": [(b"content-type", b"application/x-protobuf")],
    }
    asyncio.run(HttpReceiver(Full(), 1000)(scope, receive, send))
    assert sent[0]["status"] == 503
    assert (b"retry-after", b"1") in sent[0]["headers"]
    assert "queue is full" in Status.FromString(sent[1]["body"]).message


def test_grpc_says_unavailable(tmp_path: Path) -> None:
    async def run() -> grpc.StatusCode:
        server = GrpcServer(Full(), 1000)
        await server.start(f"unix:{tmp_path}/s")
        try:
            async with grpc.aio.insecure_channel(f"unix:{tmp_path}/s") as channel:
                await channel.unary_unary(LOGS)(b"", timeout=20)
        except grpc.aio.AioRpcError as error:
            return error.code()
        finally:
            await server.stop()
        raise AssertionError("accepted")

    assert asyncio.run(run()) is grpc.StatusCode.UNAVAILABLE
