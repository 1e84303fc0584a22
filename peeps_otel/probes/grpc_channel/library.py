# SPDX-License-Identifier: Apache-2.0
"""gRPC in threads: who waits for the other end of a call. Such a thread wakes five times a second to look for signals;
how long it has been in the call is told by its span."""

from __future__ import annotations

import sys

from ...model.operations import operation
from ..internals import grpc_channel as internals
from ..internals import versions
from ..library import Support, ThreadWait


class GrpcChannel:
    """A `Library`."""

    name = "grpc.channel"
    distribution = "grpcio"
    checked = versions.GRPCIO

    def is_imported(self) -> bool:
        """Its last function: the module has been read to its end."""
        return "Channel" in vars(sys.modules.get(internals.CHANNEL, sys))

    def support(self) -> Support:
        asks = operation("request")
        return Support(
            thread_waits=(
                *(ThreadWait(internals.CHANNEL, name, asks) for name in internals.UNTIL_TIMEOUT),
                *(
                    ThreadWait(internals.CHANNEL, name, asks, seconds_left=internals.seconds_left)
                    for name in internals.OF_CALLS
                ),
            ),
            thread_modules=(internals.COMMON,),
        )


GRPC_CHANNEL = GrpcChannel()
