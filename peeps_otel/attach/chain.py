# SPDX-License-Identifier: Apache-2.0
"""What a borrowed thread does: it takes the interpreter's lock, makes a copy of the process, gives the lock back, and
is again where it was. No line of Python runs in the process itself.

    the thread:  PyGILState_Ensure, clone, PyGILState_Release, wait4, clock_gettime, as it was before
    its child:                      clone, exit_group
    the copy:                              timer, close_range, PyGC_Disable, PyRun_SimpleString, exit_group

The copy is a grandchild whose parent is gone, so the process has no child that ends later: no zombie, no SIGCHLD. The
child, without a signal at its end, is invisible to the program's own `wait`. The lock is taken by a thread that has
just come, so nobody has asked for it yet; the copy would wait for who has. `clone` is called past the C library:
handlers that libraries have registered for forks do not run. Locks inside the C library may be taken in the copy, by
threads that it does not have; such a copy gives no answer and is killed.

How the thread and its child part: a child begins on a stack of its own, which is another chain. Where a call needs what
one before it has found (a process id, a timer), the kernel is told to write it into the frame that needs it.
"""

from __future__ import annotations

import os
import signal
import struct
from typing import NamedTuple

from .ptrace import Registers
from .signal_frame import FIRST_ARGUMENT, SIZE, frame
from .target import Addresses

_CLONE, _EXIT_GROUP, _WAIT4, _CLOCK_GETTIME = 56, 231, 61, 228
_TIMER_CREATE, _TIMER_SETTIME, _CLOSE_RANGE = 222, 223, 436
_PARENT_SETTID = 0x100000
_WAIT_ALL = 0x40000000
_NOBODY = 0x7FFFFFFF  # no process has this id
_UNLOCKED = 1
_MONOTONIC = 1
_ALL = 0xFFFFFFFF
_RED_ZONE = 128
_CANNOT_WAIT = (signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGKILL)
QUIET = ~sum(1 << (number - 1) for number in (*_CANNOT_WAIT, signal.SIGSEGV, signal.SIGSTOP)) & (1 << 64) - 1
"""The signal mask meanwhile, in the copy for good."""
COPY_LIVES_S = 60
"""Then the kernel kills the copy, whatever has become of it and of us."""

_PARENT, _CHILD, _COPY = 6, 2, 6  # frames of each, the parent's with the one that was


class Chain(NamedTuple):
    """`image` belongs at `at`, below the stack pointer; with the stack pointer at `begin`, `rt_sigreturn` starts it.
    `done_at`: where `filler` is replaced by the time at the end."""

    at: int
    image: bytes
    begin: int
    done_at: int
    filler: bytes


class _Writer:
    """Makes frames that follow each other."""

    def __init__(self, registers: Registers, addresses: Addresses) -> None:
        self._registers, self._addresses = registers, addresses

    def call(self, function: int, then: int, argument: int = 0) -> bytes:
        new = {"rip": function, "rsp": then, "rdi": argument, "rsi": 0, "rax": 0, "eflags": 0x202, "rbp": 0}
        return frame({**self._registers, **new}, self._addresses.sigreturn, QUIET)

    def system(self, number: int, then: int, *arguments: int) -> bytes:
        four = dict(zip(("rdi", "rsi", "rdx", "r10"), (*arguments, 0, 0, 0, 0), strict=False))
        new = {"rip": self._addresses.call, "rsp": then, "rax": number, "r8": 0, "r9": 0, "eflags": 0x202, "rbp": 0}
        return frame({**self._registers, **four, **new}, self._addresses.sigreturn, QUIET)


def look_once(
    registers: Registers, before: Registers, mask: int, extended: bytes, addresses: Addresses, code: bytes
) -> Chain:
    """`registers`: as the thread was stopped; `before`: as it shall be afterwards, with `mask` and `extended`."""
    top = registers["rsp"] - _RED_ZONE
    code_at = (top - len(code) - 1) & ~63
    killer_at = code_at - 128
    done_at = killer_at - 64
    extended_at = (done_at - len(extended)) & ~63
    frames, at = list[int](), extended_at
    for _ in range(_PARENT + _CHILD + _COPY):
        at = ((at - SIZE) & ~15) - 8  # as at a function's entry
        frames.append(at)
    frames.reverse()
    parent, child, copy = frames[:_PARENT], frames[_PARENT : _PARENT + _CHILD], frames[_PARENT + _CHILD :]
    w = _Writer(registers, addresses)
    wait_for = parent[3] + FIRST_ARGUMENT
    timer = copy[1] + FIRST_ARGUMENT
    filler = os.urandom(16)
    # `sigevent`: SIGKILL as a signal. `itimerspec`: once.
    killer = struct.pack("<Qii48x", 0, signal.SIGKILL, 0) + struct.pack("<4q", 0, 0, COPY_LIVES_S, 0)
    parts = [
        (parent[0], w.call(addresses.ensure, parent[1])),
        (parent[1], w.system(_CLONE, parent[2], _PARENT_SETTID, child[0], wait_for)),
        (parent[2], w.call(addresses.release, parent[3], _UNLOCKED)),
        (parent[3], w.system(_WAIT4, parent[4], _NOBODY, 0, _WAIT_ALL)),
        (parent[4], w.system(_CLOCK_GETTIME, parent[5], _MONOTONIC, done_at)),
        (parent[5], frame(before, addresses.sigreturn, mask, extended_at)),
        (child[0], w.system(_CLONE, child[1], 0, copy[0])),
        (child[1], w.system(_EXIT_GROUP, child[1])),
        (copy[0], w.system(_TIMER_CREATE, copy[1], _MONOTONIC, killer_at, timer)),
        (copy[1], w.system(_TIMER_SETTIME, copy[2], 0, 0, killer_at + 64)),
        (copy[2], w.system(_CLOSE_RANGE, copy[3], 0, _ALL)),
        (copy[3], w.call(addresses.disable_gc, copy[4])),
        (copy[4], w.call(addresses.run, copy[5], code_at)),
        (copy[5], w.system(_EXIT_GROUP, copy[5])),
        (extended_at, extended),
        (done_at, filler),
        (killer_at, killer),
        (code_at, code + b"\0"),
    ]
    image = bytearray(top - frames[0])
    for where, what in parts:
        image[where - frames[0] : where - frames[0] + len(what)] = what
    return Chain(frames[0], bytes(image), parent[0] + 8, done_at, filler)
