# SPDX-License-Identifier: Apache-2.0
"""Whether a thread runs, waits for the GIL, sleeps, or stands where it was read, by its CPU clock and the kernel."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from ... import native
from ..internals import thread as thread_internals
from ..internals.thread import ThreadFacts
from .record import ThreadRecord

_BUSY_SHARE = 0.5  # of the time between two looks on a processor: running, not just woken now and then
_ASLEEP_S = 0.015
_GIL_SHOWS_NS = 50_000_000  # a thread that waits for the GIL for so long has used a little CPU time
SWITCH_MOST_S = 0.02
"""A program that lets the GIL change hands more seldom has its threads' waits not read."""


def stands(record: ThreadRecord | None, cpu_ns: int | None, clock_is_fine: bool) -> bool:
    """Whether a thread is where it was when it was read."""
    return record is not None and record.moment and clock_is_fine and cpu_ns is not None and cpu_ns == record.cpu_ns


def asleep(
    known: Mapping[int, ThreadRecord],
    all_facts: Mapping[int, ThreadFacts],
    clocks: dict[int, int | None],
    clock_is_fine: bool,
) -> set[int]:
    """The threads that were not read before, or have run since, and now sleep in a C function. `clocks`: brought up
    to date.

    A thread that waits for the GIL wakes once in a switch interval to ask for it. One that has used no CPU time for
    some of them, and is not about to run either, waits for something else.
    """
    interval_s = sys.getswitchinterval()
    changed = [ident for ident, cpu_ns in clocks.items() if not stands(known.get(ident), cpu_ns, clock_is_fine)]
    if not changed or not clock_is_fine or interval_s > SWITCH_MOST_S:
        return set()
    native.sleep(max(_ASLEEP_S, 3 * interval_s))
    found: set[int] = set()
    for ident in changed:
        native_id, before_ns = all_facts[ident].native_id, clocks[ident]
        clocks[ident] = thread_internals.cpu_ns(native_id)
        sleeps = before_ns is not None and thread_internals.on_processor(native_id) is False
        # The clock after the state: a thread that sleeps now, and has used nothing, has slept all the time.
        if sleeps and thread_internals.cpu_ns(native_id) == before_ns == clocks[ident]:
            found.add(ident)
    return found


def state(record: ThreadRecord, cpu_ns: int | None, now_ns: int) -> str:
    """Of a thread that is in no wait that is known."""
    native_id = record.facts.native_id
    if cpu_ns is None or record.cpu_ns is None:
        return "blocked" if thread_internals.on_processor(native_id) is False else "running"
    used_ns, passed_ns = cpu_ns - record.cpu_ns, now_ns - record.read_ns
    if used_ns >= _BUSY_SHARE * passed_ns or thread_internals.on_processor(native_id):
        return "running"
    call = thread_internals.system_call(native_id)
    if call is None:
        return "running" if used_ns > 0 else "blocked"
    # Who wants the GIL looks for it every 5 ms.
    wants = call[0] in thread_internals.FUTEX and (used_ns > 0 or passed_ns < _GIL_SHOWS_NS)
    return "gil" if wants else "blocked"
