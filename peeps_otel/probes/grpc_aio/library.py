# SPDX-License-Identifier: Apache-2.0
"""gRPC on asyncio: who waits for the other end of a call, and until when. The deadline is in no span."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from ...model.operations import operation
from ..internals import grpc_aio as internals
from ..internals import versions
from ..internals.await_chain import SuspendedFrame
from ..library import Support, TaskWait, Waiting, first_of

_FUTURE = operation("future")


class GrpcAio:
    """A `Library`."""

    name = "grpc"
    distribution = "grpcio"
    checked = versions.GRPCIO

    def is_imported(self) -> bool:
        return "grpc.aio._call" in sys.modules and internals.call_type() is not None

    def support(self) -> Support:
        return Support(
            task_waits=tuple(TaskWait(code, _FUTURE, find=_other_end) for code in internals.coroutine_functions())
        )


def _other_end(_links: list[SuspendedFrame], link: SuspendedFrame, future: Any) -> Waiting | None:
    kind = internals.call_type()
    call = None if kind is None else first_of(link, kind)
    left_s = None if call is None else internals.seconds_left(call)
    deadline = None
    if left_s is not None and issubclass(type(future), asyncio.Future):
        deadline = future.get_loop().time() + left_s
    return Waiting(_FUTURE, (future,), deadline=deadline)


GRPC_AIO = GrpcAio()
