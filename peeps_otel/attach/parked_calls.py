# SPDX-License-Identifier: Apache-2.0
"""The system calls in which a thread may be borrowed for a moment (x86-64).

Each is one that a signal may interrupt just as well: the kernel begins it again, or CPython does.
"""

from __future__ import annotations

from typing import NamedTuple

from . import kernel_view
from .kernel_view import ThreadMoment

_FUTEX = 202
NAMES = {
    **{0: "read", 7: "poll", 23: "select", 34: "pause", 35: "nanosleep", 43: "accept", 45: "recvfrom", 47: "recvmsg"},
    **{61: "wait4", 73: "flock", _FUTEX: "futex", 230: "clock_nanosleep", 232: "epoll_wait", 247: "waitid"},
    **{270: "pselect6", 271: "ppoll", 281: "epoll_pwait", 288: "accept4"},
}
_WAIT_BITSET = 9
"""How glibc waits for semaphores and conditions. The plain wait is for locks that it has inside: of `malloc`, of the
loader, of files. A thread that has half of those in its hands is left alone."""
_ENDLESS = 0xFFFFFFFF
_ABSOLUTE = 1


class Call(NamedTuple):
    """`stack`: the stack pointer."""

    number: int
    arguments: tuple[int, ...]
    stack: int

    @property
    def is_futex(self) -> bool:
        return self.number == _FUTEX


def read(pid: int, thread: int) -> Call | None:
    """What it sleeps in; None where it does not."""
    words = kernel_view.read_text(f"/proc/{pid}/task/{thread}/syscall").split()
    if len(words) != 9 or kernel_view.status(pid, thread).get("State", "?")[:1] != "S":
        return None
    return Call(int(words[0]), tuple(int(word, 16) for word in words[1:7]), int(words[7], 16))


def may_interrupt(call: Call) -> bool:
    if call.number == _FUTEX:
        return call.arguments[1] & 0x7F == _WAIT_BITSET
    return call.number in NAMES


def sleeps_by_itself(moment: ThreadMoment) -> bool:
    """Whether a thread is surely in a call of its own: who waits for the interpreter is in a futex."""
    number = moment.call.partition(" ")[0]
    return moment.sleeps and number.isdecimal() and int(number) in NAMES and int(number) != _FUTEX


def begins_again(call: Call) -> bool:
    """Whether the same call again is the same wait. The others end with EINTR, as after any signal handler, and CPython
    goes on with the time that is left (PEP 475)."""
    name = NAMES[call.number]
    if name in ("epoll_wait", "epoll_pwait"):
        return call.arguments[3] & 0xFFFFFFFF == _ENDLESS
    if name == "poll":
        return call.arguments[2] & 0xFFFFFFFF == _ENDLESS
    return name != "nanosleep" and (name != "clock_nanosleep" or bool(call.arguments[1] & _ABSOLUTE))
