# SPDX-License-Identifier: Apache-2.0
"""Loads a gRPC server: `python -m bench.grpc_load PORT PROCESS_ID CALLS WARM_UP_SECONDS SECONDS`: CALLS at once.

A call costs the client about what it costs the server, so that one is not always busy.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Any, cast

import grpc.aio

from .load import measured
from .report_line import tell
from .request_work import BODY


async def load(port: int, process: int, at_once: int, warm_up: float, seconds: float) -> dict[str, float]:
    answers = 0
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        method = cast("Any", channel).unary_unary("/bench.Work/Answer")

        async def ask() -> None:
            nonlocal answers
            while True:
                answer = await method(b"", wait_for_ready=True)
                if answer != BODY:
                    raise SystemExit(f"the server answers {answer[:80]!r}")
                answers += 1

        asking = [asyncio.create_task(ask()) for _ in range(at_once)]
        figures = await measured(process, lambda: answers, warm_up, seconds)
        for task in asking:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    return figures


def main(port: str, process: str, at_once: str, warm_up: str, seconds: str) -> None:
    tell(asyncio.run(load(int(port), int(process), int(at_once), float(warm_up), float(seconds))))


if __name__ == "__main__":
    main(*sys.argv[1:])
