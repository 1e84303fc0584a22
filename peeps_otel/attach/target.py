# SPDX-License-Identifier: Apache-2.0
"""The process to be asked, as it is seen from outside: its Python, its threads, and which of them may be borrowed."""

from __future__ import annotations

import os
import re
import struct
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple

from . import interpreter_layout, kernel_view, parked_calls
from .elf import Elf, Mapping, Symbol, mappings
from .preflight import check, wrong_rights
from .refused import NotNow, Refused
from .sleeping_in import in_words

_NEEDED = ("PyGILState_Ensure", "PyGILState_Release", "PyRun_SimpleString", "PyGC_Disable", "_PyRuntime", "Py_Version")
_OTHER_BUILDS = {"_Py_NegativeRefcount": "a debug build", "_Py_MergeZeroLocalRefcount": "a free-threaded build"}
_PYTHON = re.compile(r"/libpython3\.\d+[a-z]*\.so")
_LIBC = re.compile(r"/libc(\.so\.6|-2\.\d+\.so)$")
_SIGRETURN = b"\x48\xc7\xc0\x0f\0\0\0\x0f\x05"  # mov rax, 15; syscall
_SYSCALL = b"\x0f\x05\xc3"  # syscall; ret
_THREADS_MOST = 10_000
_WORD = 8
_STACK_NEEDED = 256 * 1024
_GROWS_FROM = 32 * 1024


class Addresses(NamedTuple):
    """In the target's memory. `call`: a `syscall; ret`."""

    ensure: int
    release: int
    run: int
    disable_gc: int
    sigreturn: int
    call: int


class Interpreter(NamedTuple):
    """`threads`: by the id their process knows them by, where each is and whether an exception is in flight. `idents`:
    that id by `threading.get_ident()`. `holder`: who has the lock of the interpreter, 0: nobody."""

    threads: dict[int, tuple[int, bool]]
    holder: int
    idents: dict[int, int]


class Target:
    """A context manager. `pid`: as we know it; `inner_pid`: as it knows itself. Raises Refused."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.status = check(pid)
        self.inner_pid = kernel_view.inner_id(self.status, pid)
        try:
            self._maps = self._mappings()
            self._memory = os.open(f"/proc/{pid}/mem", os.O_RDWR)
        except OSError as error:
            raise wrong_rights(pid, self.status, error) from None
        try:
            self._find_python()
        except BaseException:
            os.close(self._memory)
            raise

    def __enter__(self) -> Target:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._memory)

    def _find_python(self) -> None:
        executable = os.readlink(f"/proc/{self.pid}/exe").removesuffix(" (deleted)")
        python = [one for one in self._maps if _PYTHON.search(one.path)]
        python = python or [one for one in self._maps if one.path.removesuffix(" (deleted)") == executable]
        libc = [one for one in self._maps if _LIBC.search(one.path)]
        if not libc:
            raise Refused(
                "it does not use glibc (musl, or a static build): attaching is shown to be safe with glibc alone"
            )
        elf = self._elf(python)
        base, found = elf.base(python), elf.symbols((*_NEEDED, *_OTHER_BUILDS))
        if missing := [name for name in _NEEDED if name not in found]:
            raise Refused(
                "it is no CPython of 3.11 or later, or one without symbols: "
                f"{executable} has no {missing[0]}; py-spy may still show its stacks"
            )
        for symbol, what in _OTHER_BUILDS.items():
            if symbol in found:
                raise Refused(f"its Python is {what}: where it keeps its threads is not known")
        self._read_version(found, base)
        self._python = {name: one.at + base for name, one in found.items()}
        self._runtime = range(self._python["_PyRuntime"], self._python["_PyRuntime"] + found["_PyRuntime"].size)
        self.addresses = self._addresses(self._elf(libc), libc)

    def _read_version(self, found: dict[str, Symbol], base: int) -> None:
        number = self.number(found["Py_Version"].at + base)
        self.version = (number >> 24 & 255, number >> 16 & 255, number >> 8 & 255)
        told = self.read(found["_PyRuntime"].at + base, interpreter_layout.TOLD_SIZE)
        layout = interpreter_layout.layout((self.version[0], self.version[1]), told)
        if layout is None:
            said, known = ".".join(map(str, self.version)), ", ".join(f"{a}.{b}" for a, b in interpreter_layout.KNOWN)
            raise Refused(f"it runs CPython {said}: attaching is shown to be safe on {known} alone")
        self._layout = layout

    def _addresses(self, libc: Elf, mapped: list[Mapping]) -> Addresses:
        base, sigreturn, call = libc.base(mapped), libc.find(_SIGRETURN), libc.find(_SYSCALL)
        if sigreturn is None or call is None:
            raise Refused("its C library has no rt_sigreturn where glibc has it")
        at = self._python
        return Addresses(
            at["PyGILState_Ensure"],
            at["PyGILState_Release"],
            at["PyRun_SimpleString"],
            at["PyGC_Disable"],
            sigreturn + base,
            call + base,
        )

    def _elf(self, mapped: list[Mapping]) -> Elf:
        if not mapped:
            raise Refused("it has no Python in its memory")
        first, folder = mapped[0], f"/proc/{self.pid}"
        for path in (
            f"{folder}/map_files/{first.start:x}-{first.end:x}",
            f"{folder}/root{first.path}",
            f"{folder}/exe",
        ):
            with suppress(OSError), open(path, "rb") as file:
                return Elf(file, first.path)
        raise Refused(f"{first.path} cannot be read")

    def _mappings(self) -> list[Mapping]:
        with open(f"/proc/{self.pid}/maps", encoding="utf-8", errors="replace") as file:
            return mappings(file.read())

    # --- its memory ---------------------------------------------------------------------------------------------------

    def read(self, at: int, size: int) -> bytes:
        """Raises OSError where it is not there, or no longer."""
        return os.pread(self._memory, size, at)

    def write(self, at: int, data: bytes) -> bool:
        return os.pwrite(self._memory, data, at) == len(data)

    def number(self, at: int) -> int:
        data = self.read(at, 8)
        return int.from_bytes(data, "little") if len(data) == 8 else 0

    def interpreter(self) -> Interpreter:
        """As it is now, while it runs: a list that changes meanwhile gives OSError or NotNow."""
        layout, runtime = self._layout, self._python["_PyRuntime"]
        if self.number(runtime + layout.finalizing):
            raise Refused("it is shutting down")
        main = self.number(runtime + layout.main_interpreter)
        if not main:
            raise NotNow("its interpreter is not up yet")
        lock = runtime + (layout.gil_in_runtime or 0)
        if layout.gil_pointer is not None:
            lock = self.number(main + layout.gil_pointer)
        taken = struct.unpack("<i", self.read(lock + layout.locked, 4).ljust(4, b"\0"))[0]
        holder = self.number(lock + layout.holder) if taken == 1 else 0
        found, idents = dict[int, tuple[int, bool]](), dict[int, int]()
        thread = self.number(main + layout.threads)
        while thread and len(found) < _THREADS_MOST:
            native_id = self.number(thread + layout.native_id)
            found[native_id] = thread, bool(self.number(thread + layout.error))
            idents[self.number(thread + layout.native_id - _WORD)] = native_id
            thread = self.number(thread + layout.next_thread)
        if taken not in (-1, 0, 1):
            raise Refused("its memory is not as in the Python it says it is")
        return Interpreter(found, holder, idents)

    # --- who may be borrowed ------------------------------------------------------------------------------------------

    def candidates(self) -> list[int]:
        """Threads that are parked where a signal could come just as well, the least likely to be noticed first. Raises
        NotNow, which says what each is doing."""
        interpreter = self.interpreter()
        self._maps = self._mappings()
        known, why = dict[int, int](), list[str]()
        for thread in kernel_view.threads(self.pid):
            known[thread] = kernel_view.inner_id(kernel_view.status(self.pid, thread), thread)
        if not known.keys() or self.inner_pid not in known.values():
            raise Refused("it has ended")
        if len(interpreter.threads.keys() & set(known.values())) * 2 < len(interpreter.threads):
            raise NotNow("its threads are not where its Python should have them")
        if interpreter.holder:
            raise NotNow("its interpreter is busy all the time: no Python of another thread can run either")
        found: list[tuple[bool, bool, int]] = []
        for thread, inner in known.items():
            if inner not in interpreter.threads:
                continue
            call = parked_calls.read(self.pid, thread)
            obstacle = self._obstacle(call, interpreter.threads[inner][1])
            if obstacle or call is None:
                why.append(f"thread {thread} {obstacle}")
            else:
                found.append((inner == self.inner_pid, not parked_calls.begins_again(call), thread))
        if not found:
            raise NotNow("; ".join(why[:3]) or "none of its threads is one of Python")
        return [thread for *_, thread in sorted(found)]

    def _obstacle(self, call: parked_calls.Call | None, failing: bool) -> str:
        if call is None:
            return "runs"
        if not self.may_interrupt(call):
            return f"sleeps {in_words(self.pid, call)}, which must not be interrupted"
        if failing:
            return "has an exception in flight"
        return "" if self.has_room(call.stack) else "has no room on its stack"

    def may_interrupt(self, call: parked_calls.Call) -> bool:
        """A thread that waits for the interpreter's own lock is no parked one: giving the lock back it would wait for
        a taker that is itself."""
        return parked_calls.may_interrupt(call) and not (call.is_futex and call.arguments[0] in self._runtime)

    def has_room(self, stack: int) -> bool:
        for one in self._maps:
            if one.start <= stack < one.end:
                if one.path == "[stack]":
                    return stack - one.start > _GROWS_FROM
                own = not one.path or one.path.startswith("[anon:") or one.path.startswith("[stack:")
                return own and one.permissions == "rw-p" and stack - one.start > _STACK_NEEDED
        return False
