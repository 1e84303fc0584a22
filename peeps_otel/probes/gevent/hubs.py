# SPDX-License-Identifier: Apache-2.0
"""The hubs of gevent that greenlets were met on, each in a thread of its own, during one look."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any
from weakref import ref

from ..internals import gevent as internals
from ..internals import thread as thread_internals


class Hub:
    """One hub, for one look. `ident`: of its thread, of the system's; `native_id`: the kernel's, None where it is not
    known: its greenlets are not read then. `began_ns`: what its thread's clock has shown at the first reading."""

    __slots__ = ("_hub", "address", "began_ns", "ident", "native_id")

    def __init__(self, hub: Any, ident: int) -> None:
        self._hub = ref(hub)
        self.address = id(hub)
        self.ident = ident
        self.native_id = native_id_of(ident)
        self.began_ns = self.clock_ns()

    def clock_ns(self) -> int | None:
        """Processor time that its thread has used."""
        return thread_internals.cpu_ns(self.native_id)

    def clock(self) -> Iterator[int]:
        """As of `FrameReader`."""
        return thread_internals.cpu_clock(self.native_id or 0)

    def has_run(self) -> bool:
        """Whether its thread has run since the first reading."""
        return self.clock_ns() != self.began_ns

    def round_began_s(self) -> float | None:
        """When it has come back from waiting for events the last time, in Unix time; None where it does not tell."""
        hub = self._hub()
        return None if hub is None else internals.round_began_s(hub)


def native_id_of(ident: int) -> int | None:
    """The kernel's id of a thread, by the system's ident."""
    if ident == thread_internals.main_ident():
        return os.getpid() if sys.platform == "linux" else None
    thread = thread_internals.known_threads().get(ident)
    return None if thread is None else thread_internals.facts(ident, thread).native_id
