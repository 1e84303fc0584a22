# SPDX-License-Identifier: Apache-2.0
"""The private names of gRPC in threads: in which functions somebody waits for the other end of a call, and until
when."""

from __future__ import annotations

import time
from typing import Any

from . import versions
from .stdlib import attribute

CHECKED_ON = versions.on("grpcio")
CHANNEL, COMMON = "grpc._channel", "grpc._common"
UNTIL_TIMEOUT = ("_UnaryUnaryMultiCallable._blocking", "_StreamUnaryMultiCallable._blocking")
"""Their argument `timeout` is the call's."""
OF_CALLS = (
    "_SingleThreadedRendezvous._next",
    "_SingleThreadedRendezvous._consume_next_event",
    *(f"_MultiThreadedRendezvous.{name}" for name in ("_next", "result", "exception", "traceback")),
)
"""Methods of a call that has begun before."""


def seconds_left(call: Any) -> float | None:
    """Until the deadline of a call that somebody has in hand; None where it has none."""
    deadline = attribute(call, "_deadline")
    return deadline - time.time() if type(deadline) is float else None
