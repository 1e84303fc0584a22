# SPDX-License-Identifier: Apache-2.0
"""The frames that Linux puts on a thread's stack when it delivers a signal, written by hand (x86-64).

`rt_sigreturn` takes one and makes its registers those of the thread. So a chain of them on the stack is a program: each
frame begins a function or a system call, whose return address is the C library's own `rt_sigreturn`, which takes the
next. No code is written anywhere.
"""

from __future__ import annotations

import ctypes
import signal
import struct
from typing import Any, NamedTuple

from .ptrace import Registers
from .refused import Refused

SIZE = 440  # return address 8, ucontext 304, siginfo 128
FIRST_ARGUMENT = 112
"""Where in a frame `rdi` is."""
_IN_ORDER = (
    *("r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rdi", "rsi", "rbp", "rbx", "rdx", "rax", "rcx"),
    *("rsp", "rip", "eflags"),
)
_WITH_EXTENDED_STATE, _WITHOUT = 7, 6
_NO_STACK = 0x7777  # invalid flags: `rt_sigreturn` leaves the alternate stack as it is
_MAGIC1, _MAGIC2 = 0x46505853, 0x46505845
_SOFTWARE_RESERVED = 464  # in the extended state


class ExtendedStateLayout(NamedTuple):
    """What the kernel writes into the frames of this machine."""

    features: int
    size: int


def frame(registers: Registers, return_to: int, mask: int, extended_state_at: int = 0) -> bytes:
    """Without the state of the processor's vectors these are as at the start of a program afterwards."""
    context = struct.pack("<18Q", *(registers[name] for name in _IN_ORDER))
    context += struct.pack("<4H4Q", registers["cs"], 0, 0, registers["ss"], 0, 0, 0, 0)
    context += struct.pack("<Q8Q", extended_state_at, *[0] * 8)
    flags = _WITH_EXTENDED_STATE if extended_state_at else _WITHOUT
    user_context = struct.pack("<QQQiiQ", flags, 0, 0, _NO_STACK, 0, 0) + context + struct.pack("<Q", mask)
    return (struct.pack("<Q", return_to) + user_context).ljust(SIZE, b"\0")


def extended_state(read: bytes, layout: ExtendedStateLayout) -> bytes:
    """As it must be in a frame. Raises Refused where a frame cannot hold it."""
    if struct.unpack_from("<Q", read, 512)[0] & ~layout.features:
        raise Refused("a thread uses processor state (AMX) that an ordinary signal frame cannot hold")
    head = struct.pack("<IIQI28x", _MAGIC1, layout.size + 4, layout.features, layout.size)
    return read[:_SOFTWARE_RESERVED] + head + read[512 : layout.size] + struct.pack("<I", _MAGIC2)


def extended_state_layout() -> ExtendedStateLayout:
    """Learnt from the kernel by a signal to ourselves. On the main thread or any other."""
    libc: Any = ctypes.CDLL(None)
    seen: list[bytes] = []

    @ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    def handler(_number: int, _info: int, context: int) -> None:
        at = ctypes.c_uint64.from_address(context + 40 + 23 * 8).value
        seen.append(ctypes.string_at(at + _SOFTWARE_RESERVED, 48) if at else b"")

    address = ctypes.cast(handler, ctypes.c_void_p).value
    action = ctypes.create_string_buffer(struct.pack("<Q128sIxxxxQ", address, b"", 4, 0), 152)
    before = ctypes.create_string_buffer(152)
    libc.sigaction(int(signal.SIGURG), action, before)
    getattr(libc, "raise")(int(signal.SIGURG))
    libc.sigaction(int(signal.SIGURG), before, None)
    magic, _extended, features, size = struct.unpack_from("<IIQI", seen[0].ljust(20, b"\0") if seen else bytes(20))
    if magic != _MAGIC1:
        raise Refused("this kernel's signal frames have no extended state")
    return ExtendedStateLayout(features, size)
