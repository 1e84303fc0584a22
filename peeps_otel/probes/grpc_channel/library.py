# SPDX-License-Identifier: Apache-2.0
"""gRPC in threads: who waits for the other end of a call. Such a thread wakes five times a second to look for signals;
how long it has been in the call is told by its span."""

from __future__ import annotations

import sys

from ...model.operations import operation
from ..internals import grpc_channel as internals
from ..internals import versions
from ..library import Support, ThreadWait

_CHANNEL, _COMMON = "grpc._channel", "grpc._common"
_UNARY = ("_UnaryUnaryMultiCallable._blocking", "_StreamUnaryMultiCallable._blocking")
_CALLS = (
    "_SingleThreadedRendezvous._next",
    "_SingleThreadedRendezvous._consume_next_event",
    *(f"_MultiThreadedRendezvous.{name}" for name in ("_next", "result", "exception", "traceback")),
)


class GrpcChannel:
    """A `Library`."""

    name = "grpc.channel"
    distribution = "grpcio"
    checked = versions.GRPCIO

    def is_imported(self) -> bool:
        """Its last function: the module has been read to its end."""
        return "Channel" in vars(sys.modules.get(_CHANNEL, sys))

    def support(self) -> Support:
        asks = operation("request")
        return Support(
            thread_waits=(
                *(ThreadWait(_CHANNEL, name, asks) for name in _UNARY),
                *(ThreadWait(_CHANNEL, name, asks, seconds_left=internals.seconds_left) for name in _CALLS),
            ),
            thread_modules=(_COMMON,),
        )


GRPC_CHANNEL = GrpcChannel()
