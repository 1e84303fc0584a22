# SPDX-License-Identifier: Apache-2.0
"""What a silent process does, seen from outside; above all, whether its interpreter stands still.

Stacks may be written only while no Python runs: the writer follows pointers that a running thread changes, and that
ends in a crash. So before we ask for them, our own thread must be seen to wait for the interpreter, and nobody else to
take turns with it.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from . import proc

_WINDOW_S, _SAMPLES = 0.4, 8
_TURNS_LEAST = 0.4 * _WINDOW_S / 0.005
"""A thread that waits for the interpreter wakes every 5 ms; this is the part of it that a busy machine leaves over."""
_HOG_SHARE = 0.8
_TURN_NS = 4_000_000  # a thread that had the interpreter for a turn has used more; waiting for it uses a millisecond
_ASLEEP_SHARE = 0.1


class Evidence(NamedTuple):
    """`letter`: the kernel's, for the process as a whole; empty where it says nothing. `busiest`: the native id of the
    thread that used the most CPU, None where none did. `stands_still`: one thread keeps the interpreter."""

    letter: str
    busiest: int | None
    stands_still: bool


def gather(pid: int, tid: int) -> Evidence:
    """Takes 0.4 s. `tid`: our own thread in the process."""
    turns = proc.turns(pid, tid)
    before = proc.run_times(pid)
    letters: dict[int, set[str]] = {}
    for _ in range(_SAMPLES):
        time.sleep(_WINDOW_S / _SAMPLES)
        for thread, task in proc.tasks(pid).items():
            letters.setdefault(thread, set()).add(task.state)
    after = proc.run_times(pid)
    turns = proc.turns(pid, tid) - turns
    main = proc.process(pid)
    if main is None or main.state in ("T", "t"):
        return Evidence("" if main is None else main.state, None, False)
    used = {thread: ns - before.get(thread, 0) for thread, ns in after.items() if thread != tid}
    busiest = max(used, key=lambda thread: used[thread], default=None)
    total = sum(used.values())
    most, second, *_ = [*sorted(used.values(), reverse=True), 0, 0]
    awake = total > _ASLEEP_SHARE * _WINDOW_S * 1e9
    seen = {letter for thread, ones in letters.items() if thread != tid for letter in ones}
    letter = "R" if awake else next((letter for letter in "DRS" if letter in seen), "")
    # On an overloaded machine a program that runs uses little of the processor too; but it is seen to want it.
    alone = most >= _HOG_SHARE * total and second < _TURN_NS if awake else "R" not in seen
    return Evidence(letter, busiest if awake else None, turns >= _TURNS_LEAST and alone)
