# SPDX-License-Identifier: Apache-2.0
"""By what a run of a loop that asks again and again is known in two copies of a process, between which it has gone
round: who called it and with what, and what it has set before it began to ask. For use in a copy alone: asking leaves
dictionaries with the frames.

Two that differ are of two runs. Two that are alike may be, too, where nothing of that has changed.
"""

from __future__ import annotations

import asyncio
import dis
import inspect
from collections.abc import Iterable
from functools import cache
from types import CodeType, FrameType
from typing import Any, cast

from .internals.await_chain import chain
from .internals.current_frames import current_frames
from .poll import Poll
from .polls import WHOLE, of_task, of_threads

_DEEP_MOST = 64
_PLAIN = frozenset({int, float, str, bool})

Mark = int


def of_thread_idents(idents: Iterable[int]) -> dict[int, tuple[Poll, Mark]]:
    """Of those of these threads that are in such a loop, by ident."""
    found: dict[int, tuple[Poll, Mark]] = {}
    frames = current_frames()
    for ident, poll in of_threads(dict.fromkeys(idents)).items():
        outward = list(_outward(frames.get(ident)))
        depth = next((place for place, frame in enumerate(outward) if id(frame) == poll.run[0]), None)
        if depth is not None:
            found[ident] = poll, _mark(outward[depth:], poll.run[-1])
    frames.clear()
    return found


def of_suspended(task: asyncio.Task[Any]) -> tuple[Poll, Mark] | None:
    """Of a task, where it is in such a loop."""
    poll = of_task(task, None)
    if poll is None:
        return None
    links = [link for link in chain(task.get_coro()) if link.frame is not None]
    depth = next((place for place, link in enumerate(links) if link.suspended is poll.run[0]()), None)
    if depth is None:
        return None
    frames = [link.frame for link in links[depth::-1] if link.frame is not None]
    return poll, hash((_mark(frames, poll.run[-1]), *(id(link.suspended) for link in links[: depth + 1])))


def _outward(frame: FrameType | None) -> Iterable[FrameType]:
    for _ in range(_DEEP_MOST):
        if frame is None:
            return
        yield frame
        frame = frame.f_back


def _mark(frames: list[FrameType], loop: int) -> Mark:
    """`frames`: the one with the loop first, then who called it."""
    seen: list[object] = [loop]
    for place, frame in enumerate(frames):
        code = frame.f_code
        if place:
            seen.append(frame.f_lasti)
        seen.append(id(code))
        if code.co_flags & inspect.CO_OPTIMIZED:
            variables = frame.f_locals
            kept = _set_before(code, loop) if not place else code.co_varnames
            seen += [_known_by(variables[name]) for name in kept if name in variables]
    return hash(tuple(seen))


def _known_by(value: object) -> object:
    return (id(value), value) if type(value) in _PLAIN else id(value)


@cache
def _set_before(code: CodeType, loop: int) -> tuple[str, ...]:
    """The variables that the loop does not set, nor what comes after it has begun."""
    begins = loop
    if loop == WHOLE:
        backwards = [op.argval for op in dis.get_instructions(code) if "JUMP_BACKWARD" in op.opname]
        begins = min(backwards, default=len(code.co_code))
    stores = (op for op in dis.get_instructions(code) if op.opname.startswith("STORE_FAST") and op.offset >= begins)
    later: set[str] = set()
    for op in stores:  # one that stores two has a pair of names, on 3.13 and later
        later.update(_names(op.argval))
    return tuple(name for name in code.co_varnames if name not in later)


def _names(argument: object) -> tuple[str, ...]:
    return cast("tuple[str, ...]", argument) if isinstance(argument, tuple) else (str(argument),)
