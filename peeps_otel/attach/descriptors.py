# SPDX-License-Identifier: Apache-2.0
"""What stands at the connections and pipes of a process, which its copy does not have: asked of the kernel by a
duplicate of each descriptor, which lives in us for some microseconds. Nothing is read, nothing is set.

Empty where the kernel does not lend descriptors (before Linux 5.6, or a filter of system calls).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import termios
from array import array
from contextlib import suppress
from typing import Any, NamedTuple, cast

_LEND = 438  # pidfd_getfd, the same on every architecture
_MOST = 2000
_PIPE_SIZE = 1032

Address = tuple[object, ...] | str | bytes | None


class DescriptorFacts(NamedTuple):
    """`flags`: as `F_GETFL`. `waiting`, `unsent`: bytes to be read, and written but not taken; `size`: of a pipe. None:
    not told, or no such thing. `local`, `peer`: as `getsockname` and `getpeername` tell them."""

    flags: int
    waiting: int | None
    unsent: int | None
    size: int | None
    local: Address
    peer: Address


def of_process(pid: int) -> dict[int, DescriptorFacts]:
    """By descriptor, of 2,000 at most. Any thread."""
    found: dict[int, DescriptorFacts] = {}
    try:
        process = os.pidfd_open(pid)
    except OSError:
        return found
    try:
        for fd in _connections(pid):
            try:
                lent = _lent(process, fd)
            except OSError:
                continue
            try:
                found[fd] = _facts(lent)
            finally:
                os.close(lent)
    finally:
        os.close(process)
    return found


def _connections(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd")[: 10 * _MOST]:
            with suppress(OSError):
                if os.readlink(f"/proc/{pid}/fd/{name}").startswith(("socket:", "pipe:")):
                    found.append(int(name))
    return found[:_MOST]


def _lent(process: int, fd: int) -> int:
    libc: Any = ctypes.CDLL(None, use_errno=True)
    lent: int = libc.syscall(_LEND, process, fd, 0)
    if lent < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    return lent


def _facts(fd: int) -> DescriptorFacts:
    size: int | None = None
    with suppress(OSError):
        size = fcntl.fcntl(fd, _PIPE_SIZE)
    local, peer = (None, None) if size is not None else _addresses(fd)
    unsent = None if size is not None else _asked(fd, termios.TIOCOUTQ)
    return DescriptorFacts(fcntl.fcntl(fd, fcntl.F_GETFL), _asked(fd, termios.FIONREAD), unsent, size, local, peer)


def _asked(fd: int, what: int) -> int | None:
    answer = array("i", [0])
    try:
        fcntl.ioctl(fd, what, answer, True)
    except OSError:
        return None
    return answer[0]


def _addresses(fd: int) -> tuple[Address, Address]:
    told: list[Address] = [None, None]
    try:
        lent = socket.socket(fileno=fd)
    except OSError:
        return None, None
    try:
        with suppress(OSError):
            told[0] = cast("Address", lent.getsockname())
        with suppress(OSError):
            told[1] = cast("Address", lent.getpeername())
    finally:
        lent.detach()
    return told[0], told[1]
