# SPDX-License-Identifier: Apache-2.0
"""A thread that does not go on since the machine has no processor for it: it neither computes nor is in a call."""

from __future__ import annotations

import time

from ..probes import runtime

_COMPUTED_NS = 400_000_000  # who has used so much in one go computes, however long it had to wait for it
_SHARE = 0.25  # of the time that passed: less is what any thread waits on a machine that is in use


class ForAProcessor:
    """Of one thread, from when this is made. By the clocks of the system: what the kernel counts follows no other."""

    __slots__ = ("_began_ns", "_native_id", "_ready_ns", "_used_ns")

    def __init__(self, native_id: int | None) -> None:
        self._native_id = native_id
        self._began_ns = time.monotonic_ns()
        self._used_ns = runtime.cpu_ns(native_id)
        self._ready_ns = runtime.ready_ns(native_id)

    def lacks_it(self) -> bool:
        """Whether it has been ready to run for much of the time since, and for longer than it has run."""
        used_ns, ready_ns = runtime.cpu_ns(self._native_id), runtime.ready_ns(self._native_id)
        if used_ns is None or ready_ns is None or self._used_ns is None or self._ready_ns is None:
            return False
        used_ns, ready_ns = used_ns - self._used_ns, ready_ns - self._ready_ns
        return used_ns < _COMPUTED_NS and ready_ns > max(used_ns, _SHARE * (time.monotonic_ns() - self._began_ns))
