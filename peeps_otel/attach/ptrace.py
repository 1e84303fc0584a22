# SPDX-License-Identifier: Apache-2.0
"""The kernel's door to the registers of another thread. Every call raises OSError."""

from __future__ import annotations

import ctypes
import os
import struct
from typing import Any

SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
EVENT_STOP = 128
_GETREGSET, _SETREGSET, _GETSIGMASK = 0x4204, 0x4205, 0x420A
_NT_PRSTATUS, _NT_XSTATE = 1, 0x202
_MOST = 1 << 16

# In the order of x86-64's `struct user_regs_struct`.
_NAMES = (
    *("r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi"),
    *("orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs"),
)
Registers = dict[str, int]


class _Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def _library() -> Any:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.restype = ctypes.c_long
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    return libc


def call(request: int, thread: int, address: int = 0, data: int = 0) -> int:
    ctypes.set_errno(0)
    result: int = _library().ptrace(request, thread, address, data)
    error = ctypes.get_errno()
    if result == -1 and error:
        raise OSError(error, f"ptrace of thread {thread}: {os.strerror(error)}")
    return result


def registers(thread: int) -> Registers:
    return dict(zip(_NAMES, struct.unpack(f"<{len(_NAMES)}Q", _read(thread, _NT_PRSTATUS)), strict=True))


def set_registers(thread: int, values: Registers) -> None:
    """All of them, in one system call."""
    data = struct.pack(f"<{len(_NAMES)}Q", *(values[name] for name in _NAMES))
    buffer = ctypes.create_string_buffer(data, len(data))
    vector = _Vector(ctypes.addressof(buffer), len(data))
    call(_SETREGSET, thread, _NT_PRSTATUS, ctypes.addressof(vector))


def extended_state(thread: int) -> bytes:
    """Floating point and vectors, as `xsave` writes them."""
    return _read(thread, _NT_XSTATE)


def signal_mask(thread: int) -> int:
    mask = ctypes.c_uint64()
    call(_GETSIGMASK, thread, 8, ctypes.addressof(mask))
    return mask.value


def _read(thread: int, which: int) -> bytes:
    buffer = ctypes.create_string_buffer(_MOST)
    vector = _Vector(ctypes.addressof(buffer), _MOST)
    call(_GETREGSET, thread, which, ctypes.addressof(vector))
    return buffer.raw[: vector.length]
