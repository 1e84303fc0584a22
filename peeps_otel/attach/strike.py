# SPDX-License-Identifier: Apache-2.0
"""Stops one parked thread for about a millisecond and gives it the chain: one write, one system call that changes its
registers, and it is let go. Before that call nothing has changed that belongs to anybody; after it the thread restores
itself. So the tool may be killed at any instant.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from . import chain, parked_calls, ptrace, signal_frame
from .chain import Chain
from .kernel_view import ThreadMoment, moment
from .refused import NotNow
from .signal_frame import ExtendedStateLayout
from .target import Target

_STOP_S = 0.5
_WAIT_ALL = 0x40000000
_USER_CODE = 0x33
_RESTARTS = (-512, -513, -514)  # ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND
_RESTARTS_OTHERWISE = (-516, -4)  # ERESTART_RESTARTBLOCK, EINTR
_EINTR = (1 << 64) - 4
_SYSCALL_SIZE = 2
_NO_CALL = (1 << 64) - 1


class Struck(NamedTuple):
    """`thread`: as we know it. `before`: of it, right before it was stopped. `stopped_s`: on the monotonic clock."""

    thread: int
    before: ThreadMoment
    chain: Chain
    stopped_s: float


def strike(
    target: Target, thread: int, code: bytes, layout: ExtendedStateLayout, stage: Callable[[str], None] = lambda _: None
) -> Struck:
    """`stage`: told how far it is, for tests. Raises NotNow and OSError with nothing done."""
    before = moment(target.pid, thread)
    if before is None:
        raise NotNow("a thread has ended")
    ptrace.call(ptrace.SEIZE, thread)
    try:
        _stop(thread)
        stopped_s = time.monotonic()
        stage("stopped")
        registers = ptrace.registers(thread)
        restored = _restored(target, before.id, registers)
        made = chain.look_once(
            registers,
            restored,
            ptrace.signal_mask(thread),
            signal_frame.extended_state(ptrace.extended_state(thread), layout),
            target.addresses,
            code,
        )
        stage("write")
        if not target.write(made.at, made.image):  # below the stack pointer: nobody's
            raise NotNow("a stack could not be written")
        stage("before")
        begin = {"rip": target.addresses.sigreturn, "rsp": made.begin, "orig_rax": _NO_CALL, "rax": 0}
        ptrace.set_registers(thread, registers | begin)  # the one step that counts
        stage("after")
        return Struck(thread, before, made, stopped_s)
    finally:
        with suppress(OSError):  # it has ended, or was let go of
            ptrace.call(ptrace.DETACH, thread)


def _stop(thread: int) -> None:
    ptrace.call(ptrace.INTERRUPT, thread)
    end_s = time.monotonic() + _STOP_S
    while True:
        found, status = os.waitpid(thread, _WAIT_ALL | os.WNOHANG)
        if found:
            break
        if time.monotonic() > end_s:
            raise NotNow("a thread did not stop")
    if not os.WIFSTOPPED(status):
        raise NotNow("a thread has ended")
    if status >> 16 != ptrace.EVENT_STOP or os.WSTOPSIG(status) not in (5,):
        # A signal, which is handed on, or the stop of the whole process.
        came = os.WSTOPSIG(status) if status >> 16 == 0 else 0
        ptrace.call(ptrace.DETACH, thread, 0, came)
        raise NotNow("a signal came first")


def _restored(target: Target, inner_id: int, registers: ptrace.Registers) -> ptrace.Registers:
    """As the thread shall be afterwards. Raises NotNow where it is not as it was chosen for."""
    number = registers["orig_rax"]
    result: int = struct.unpack("<q", struct.pack("<Q", registers["rax"]))[0]
    arguments = tuple(registers[name] for name in ("rdi", "rsi", "rdx", "r10", "r8", "r9"))
    call = parked_calls.Call(number, arguments, registers["rsp"])
    if registers["cs"] != _USER_CODE or not target.may_interrupt(call):
        raise NotNow("a thread is no longer parked")
    if result not in (*_RESTARTS, *_RESTARTS_OTHERWISE):
        raise NotNow("the call of a thread has just ended")
    interpreter = target.interpreter()
    at, failing = interpreter.threads.get(inner_id, (0, False))
    if interpreter.holder:
        raise NotNow("its interpreter is busy")
    if not at or failing or not target.has_room(call.stack):
        raise NotNow("a thread has gone on")
    if result in _RESTARTS or parked_calls.begins_again(call):
        return registers | {"rip": registers["rip"] - _SYSCALL_SIZE, "rax": number}
    return registers | {"rax": _EINTR}
