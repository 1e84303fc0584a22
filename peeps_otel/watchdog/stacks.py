# SPDX-License-Identifier: Apache-2.0
"""What `faulthandler` wrote, as stacks, and which of them is the one to look at."""

from __future__ import annotations

import re
from typing import NamedTuple

from .. import model
from ..model import own_line
from ..probes.source.ownership import Ownership


class Frame(NamedTuple):
    file: str
    line: int
    function: str


class Stack(NamedTuple):
    """One thread: `frames` innermost first; `name` and `native` are None where the thread was not known."""

    ident: int
    name: str | None
    native: int | None
    frames: list[Frame]


_THREAD = re.compile(r"^(?:Current thread|Thread) 0x([0-9a-f]+)")
_FRAME = re.compile(r'^  File "(.*)", line (\d+) in (.*)$')
_OURS = "peeps-"
# Where a thread with nothing to do stands.
_IDLE = frozenset(
    {
        ("threading.py", "wait"),
        ("threading.py", "join"),
        ("threading.py", "_wait_for_tstate_lock"),
        ("queue.py", "get"),
        ("selectors.py", "select"),
        ("socket.py", "accept"),
        ("subprocess.py", "_try_wait"),
        ("connection.py", "poll"),
        ("connection.py", "_recv"),
        ("thread.py", "_worker"),
    }
)


def read(text: str, table: str) -> list[Stack]:
    """The threads of a dump, without ours. `table`: a line each, `ident native-id name`."""
    names: dict[int, tuple[int, str]] = {}
    for line in table.splitlines():
        ident, native, name = line.split(" ", 2)
        names[int(ident)] = (int(native), name)
    found: list[Stack] = []
    for line in text.splitlines():
        thread = _THREAD.match(line)
        if thread:
            ident = int(thread.group(1), 16)
            native, name = names.get(ident, (None, None))
            found.append(Stack(ident, name, native, []))
            continue
        frame = _FRAME.match(line)
        if frame and found:
            found[-1].frames.append(Frame(frame.group(1), int(frame.group(2)), frame.group(3)))
    return [stack for stack in found if stack.frames and not (stack.name or "").startswith(_OURS)]


def to_look_at(stacks: list[Stack], busiest: int | None) -> Stack | None:
    """The thread that used the CPU; else the only one that does not merely wait; else the main thread."""
    by_cpu = [stack for stack in stacks if stack.native is not None and stack.native == busiest]
    if by_cpu:
        return by_cpu[0]
    at_work = [stack for stack in stacks if not _idle(stack)]
    if len(at_work) == 1:
        return at_work[0]
    return next((stack for stack in at_work or stacks if stack.name == "MainThread"), (at_work or stacks or [None])[0])


def own_frame(stack: Stack, ownership: Ownership) -> Frame | None:
    """The innermost frame of the program's own code."""
    return next((frame for frame in stack.frames if ownership.is_own(frame.file)), None)


def place(stack: Stack, ownership: Ownership) -> str:
    """`MainThread is in match, called at app.py:17 in handle`, `MainThread is in match, in regex`"""
    inner, ours = stack.frames[0], own_frame(stack, ownership)
    who = stack.name or f"thread 0x{stack.ident:x}"
    if ours is None:
        known = [model.Frame(f.function, f.file, f.line, ownership.library(f.file)) for f in reversed(stack.frames)]
        return f"{who} is in {inner.function}, {own_line.place(known)}"
    if inner is ours:
        return f"{who} is at {ours.file}:{ours.line} in {ours.function}"
    return f"{who} is in {inner.function}, called at {ours.file}:{ours.line} in {ours.function}"


def as_traceback(stack: Stack) -> str:
    """As Python writes a traceback, outermost frame first."""
    return "\n".join(f'  File "{f.file}", line {f.line}, in {f.function}' for f in reversed(stack.frames))


def _idle(stack: Stack) -> bool:
    inner = stack.frames[0]
    return (inner.file.rpartition("/")[2], inner.function) in _IDLE
