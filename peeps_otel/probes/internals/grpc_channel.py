# SPDX-License-Identifier: Apache-2.0
"""The private names of gRPC in threads: until when a call may last."""

from __future__ import annotations

import time
from typing import Any

from . import versions
from .stdlib import attribute

CHECKED_ON = versions.on("grpcio")


def seconds_left(call: Any) -> float | None:
    """Until the deadline of a call that somebody has in hand; None where it has none."""
    deadline = attribute(call, "_deadline")
    return deadline - time.time() if type(deadline) is float else None
