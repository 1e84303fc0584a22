# SPDX-License-Identifier: Apache-2.0
"""The C library's two ways to copy a process: with the handlers that libraries have registered for it, and without.

gRPC's handlers stop its threads, or say on stderr that they could not. `_Fork` (POSIX.1-2024; glibc 2.34) runs none.
Without them a lock of `malloc` may stay taken in the copy, by a thread that it does not have, so it is not for all.
"""

from __future__ import annotations

import itertools
import signal
import sys
from collections.abc import Callable
from typing import Any

from . import versions

CHECKED_ON = versions.on("grpcio")
_GRPC = "grpc._cython.cygrpc"
_WITHOUT_HANDLERS = "_Fork"
_PR_SET_PDEATHSIG, _PR_GET_DUMPABLE = 1, 3


def fork_of(libc: Any) -> Callable[[], int] | None:
    """A `fork` of `libc` (a `ctypes` library) that disturbs nobody here; None where there is none."""
    if _GRPC not in sys.modules:
        return libc.fork
    return getattr(libc, _WITHOUT_HANDLERS, None)


def fork_that_ends_with_us(libc: Any, make_copy: Callable[[], int]) -> int:
    """`make_copy()` of a `ctypes.PyDLL`; the copy is killed when the calling thread ends, whatever else becomes of it.

    The interpreter's next instruction is too late for that: a thread may have asked for the interpreter in the moment
    of the fork, and the copy then hands it over to that thread, which it does not have, before it does anything else.
    So the system call follows within the same call of C. In the process itself it is one that changes nothing.
    """
    pids, again = itertools.tee(iter(make_copy, None))
    options = map({0: _PR_SET_PDEATHSIG}.get, again, itertools.repeat(_PR_GET_DUMPABLE))
    calls = map(libc.prctl, options, *(itertools.repeat(int(one)) for one in (signal.SIGKILL, 0, 0, 0)))
    return next(zip(pids, calls, strict=True))[0]
