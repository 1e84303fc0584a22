# SPDX-License-Identifier: Apache-2.0
"""Locals and value stack of a function that another thread is executing.

`frame.f_locals` will not do: before Python 3.13 it leaves a dictionary with the frame that keeps every value until the
function returns, it disturbs a debugger in that thread, and it never shows the value stack, on which `with` keeps the
`__exit__` of what it has entered. So the words are read where they are.

What makes that safe:

* The layout is a part of each version's ABI. It is taken for known on the versions below only, a function first has to
  find its own locals and value stack by it, and each reading checks it again: the interpreter's frame must point back
  to the very frame object and code object it was reached from.
* Only a thread that sleeps in a C function is read: its CPU clock has not moved for longer than a thread ever waits for
  the GIL without looking at it. What it has called, and with what, lies on its stack until that function is left.
* Each reading begins with the clock, and nothing comes between the two: the interpreter hands the GIL over at calls and
  at jumps backwards, nowhere else, so a reading is one line without either. The clock is stepped by a `for`, and memory
  is seen as one array that begins at address 0, for indexing is no call. As long as the clock has not moved the thread
  is where it was, and without the GIL it cannot go on.
* A place is only read where the compiler guarantees that it holds a reference (a local; what is below the depth of an
  exception handler; the arguments of a call in progress), and an argument only if its type, read as a bare number, is
  one that is asked for.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from itertools import repeat
from types import CellType, CodeType, FrameType, MethodType
from typing import Any, cast

from . import versions

CHECKED_ON = versions.on("CPython")

try:
    import ctypes
except ImportError:  # a Python built without it
    ctypes = None

_CHECKED = {(3, 11): 120, (3, 12): 120, (3, 13): 136}
"""Size of a frame object by version."""
_WORD = 8
_F_FRAME = 3  # words from the beginning of a frame object
_IP, _LOCALS = 7, 9  # words from the beginning of an interpreter frame
_CODE, _FRAME_OBJECT = (4, 5) if sys.version_info < (3, 12) else (0, 6)
_EVERYTHING = 1 << 58  # words


def is_readable() -> bool:
    """Whether this Python keeps its frames as the versions that were checked do."""
    return (
        ctypes is not None
        and sys.implementation.name == "cpython"
        and _CHECKED.get(sys.version_info[:2]) == FrameType.__basicsize__
        and FrameType.__itemsize__ == object.__basicsize__ // 2 == _WORD == ctypes.sizeof(ctypes.c_void_p)
        and "free-threading build" not in sys.version
        and os.name == "posix"
    )


def local_of(suspended_in: FrameType | None, name: str) -> Any:
    """A local of a coroutine's frame while it is suspended: no thread is in it, so it needs no clock. None where there
    is none of that name."""
    return None if suspended_in is None else FrameReader(suspended_in, repeat(0), 0).local_named(name)


class FrameReader:
    """Reads one frame. Make one per frame and look, and let go of it at once. For the watcher thread only.

    `clock`: the CPU clock of the frame's thread; `cpu_ns`: what it has shown since before the frame was looked up.
    Without one nothing is read. Everything is None once the thread has gone on. OSError when it has ended.
    """

    __slots__ = ("_at", "_base", "_clock", "_cpu_ns", "_frame", "_ip", "code", "lasti")

    def __init__(self, frame: FrameType, clock: Iterator[int] | None, cpu_ns: int | None) -> None:
        self._frame = frame
        self._clock = clock if clock is not None else iter(())
        self._cpu_ns = cpu_ns
        self.code = frame.f_code
        self._at = (id(frame) >> 3) + _F_FRAME
        self._base = self._ip = 0
        self.lasti = frame.f_lasti
        if _words is not None and clock is not None:
            self._settle()

    def _settle(self) -> None:
        words, at, frame, cpu_ns = _words, self._at, self._frame, self._cpu_ns
        base = ip = code = back = 0
        now, lasti = None, -1
        # One line, no call: see the module's docstring.
        # fmt: off
        for now in self._clock: base = words[at] >> 3; ip = words[base + _IP]; lasti = frame.f_lasti; code = words[base + _CODE]; back = words[base + _FRAME_OBJECT]; break  # noqa: B007, E501, E701, E702  one line
        # fmt: on
        if now == cpu_ns and code == id(self.code) and back == id(frame):
            self.lasti = lasti
            self._base, self._ip = base, ip

    @property
    def readable(self) -> bool:
        return self._base != 0

    def local(self, index: int) -> Any:
        """A local, a cell's content or a free variable by its place in the frame; None where it is not set."""
        if self._base == 0:
            return None
        value = self._sure(index)
        if type(value) is CellType:
            try:
                return value.cell_contents
            except ValueError:
                return None
        return value

    def local_named(self, name: str) -> Any:
        """A local by its name; None where there is none."""
        index = place_of(self.code, name)
        if index is None:
            return None
        if self._base == 0:
            return self._by_proxy(name)
        return self.local(index)

    def global_named(self, name: str) -> Any:
        """A global of the frame's module, or a builtin; None where there is none."""
        values = self._frame.f_globals
        return values[name] if type(values) is dict and name in values else None

    def below_handler(self, slot: int) -> Any:
        """What lies on the value stack at `slot`. Only for slots below the depth of an exception handler around the
        current instruction: those hold a reference."""
        return None if self._base == 0 else self._sure(_places(self.code) + slot)

    def argument(self, slot: int, types: frozenset[int]) -> Any:
        """What lies on the value stack at `slot` of a call in progress, if the id of its type is one of `types`."""
        if self._base == 0:
            return None
        words, objects, at, base, ip, cpu_ns = _words, _objects, self._at, self._base, self._ip, self._cpu_ns
        place = base + _LOCALS + _places(self.code) + slot
        # One line, no call.
        # fmt: off
        for now in self._clock: return objects[place] if now == cpu_ns and words[at] >> 3 == base and words[base + _IP] == ip and words[place] and words[(words[place] >> 3) + 1] in types else None  # noqa: E501, E701  one line
        # fmt: on
        return None

    def has_type(self, slot: int, types: frozenset[int]) -> bool:
        """Whether what lies on the value stack at `slot` of a call in progress is of a type whose id is in `types`."""
        if self._base == 0:
            return False
        words, at, base, ip, cpu_ns = _words, self._at, self._base, self._ip, self._cpu_ns
        place = base + _LOCALS + _places(self.code) + slot
        # One line, no call.
        # fmt: off
        for now in self._clock: return now == cpu_ns and words[at] >> 3 == base and words[base + _IP] == ip and words[place] != 0 and words[(words[place] >> 3) + 1] in types  # noqa: E501, E701  one line
        # fmt: on
        return False

    def _sure(self, index: int) -> Any:
        words, objects, at, base, ip, cpu_ns = _words, _objects, self._at, self._base, self._ip, self._cpu_ns
        place = base + _LOCALS + index
        # One line, no call.
        # fmt: off
        for now in self._clock: return objects[place] if now == cpu_ns and words[at] >> 3 == base and words[base + _IP] == ip and words[place] else None  # noqa: E501, E701  one line
        # fmt: on
        return None

    def _by_proxy(self, name: str) -> Any:
        """From Python 3.13 on `f_locals` of a function is a view that copies nothing."""
        if sys.version_info < (3, 13) or not self.code.co_flags & 1:
            return None
        try:
            return cast("Any", self._frame.f_locals)[name]
        except (KeyError, RuntimeError):
            return None


def stack_words(frame: FrameType, depth: int | None = None) -> list[int]:
    """What the value stack of a frame may have on it, as addresses: every word of its whole extent, or of the first
    `depth` values, so some are no references any more, or never were. Only for a thread that stands still for good, as
    in a copy of the process; no object is touched. Empty where frames cannot be read."""
    words, code = _words, frame.f_code
    if words is None:
        return []
    base = words[(id(frame) >> 3) + _F_FRAME] >> 3
    if base == 0 or words[base + _CODE] != id(code) or words[base + _FRAME_OBJECT] != id(frame):
        return []
    begin = base + _LOCALS + _places(code)
    size = code.co_stacksize if depth is None else min(depth, code.co_stacksize)
    return [word for word in words[begin : begin + size] if word]


def place_of(code: CodeType, name: str) -> int | None:
    """The place of a local of that name in a frame of `code`."""
    try:
        return local_names(code).index(name)
    except ValueError:
        return None


def local_names(code: CodeType) -> tuple[str, ...]:
    """The locals in the order of their places: arguments and locals, then cells that are neither, then free ones."""
    plain = code.co_varnames
    return plain + tuple(name for name in code.co_cellvars if name not in plain) + code.co_freevars


def _places(code: CodeType) -> int:
    return len(local_names(code))


def _finds_itself(words: Any) -> bool:
    """Whether the locals and the value stack of a function lie where they are taken to lie: compares numbers, touches
    no object. A build that keeps the size of a frame object and moves what is in it is found out here."""
    first, manager = object(), contextlib.nullcontext()
    frame = sys._getframe()  # pyright: ignore[reportPrivateUsage]  # documented, with an underscore
    base = words[(id(frame) >> 3) + _F_FRAME] >> 3
    with manager:
        place = base + _LOCALS
        stack = words[place + _places(frame.f_code)]
        return (
            words[base + _CODE] == id(frame.f_code)
            and words[base + _FRAME_OBJECT] == id(frame)
            and words[place + local_names(frame.f_code).index("first")] == id(first)
            and words[place + local_names(frame.f_code).index("manager")] == id(manager)
            and words[(stack >> 3) + 1] == id(MethodType)  # `manager.__exit__`
        )


_words: Any = None
_objects: Any = None
if is_readable() and ctypes is not None:
    _everything = (ctypes.c_size_t * _EVERYTHING).from_address(0)
    if _finds_itself(_everything):
        _words = _everything
        _objects = (ctypes.py_object * _EVERYTHING).from_address(0)


def memory() -> Any:
    """All memory as words; index `address >> 3`. None where frames are not read in this process."""
    return _words


def reads() -> bool:
    """Whether frames are read in this process."""
    return _words is not None
