# SPDX-License-Identifier: Apache-2.0
"""The C library's two ways to copy a process: with the handlers that libraries have registered for it, and without.

gRPC's handlers stop its threads, or say on stderr that they could not. `_Fork` (POSIX.1-2024; glibc 2.34) runs none.
Without them a lock of `malloc` may stay taken in the copy, by a thread that it does not have, so it is not for all.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from . import versions

CHECKED_ON = versions.on("grpcio")
_GRPC = "grpc._cython.cygrpc"
_WITHOUT_HANDLERS = "_Fork"


def fork_of(libc: Any) -> Callable[[], int] | None:
    """A `fork` of `libc` (a `ctypes` library) that disturbs nobody here; None where there is none."""
    if _GRPC not in sys.modules:
        return libc.fork
    return getattr(libc, _WITHOUT_HANDLERS, None)
