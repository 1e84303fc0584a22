# SPDX-License-Identifier: Apache-2.0
"""Whether a task or thread is in a loop that asks again and again, and whether that is the run of it seen before.

To be asked of few, on the watcher's thread. Of a task, that makes a frame object of the function with the loop, which
stays until its coroutine ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from itertools import repeat
from types import CodeType, FrameType
from typing import Any, NamedTuple
from weakref import ref

from .internals import file_locks
from .internals.await_chain import SuspendedFrame, chain
from .internals.current_frames import current_frames
from .internals.frame_memory import FrameReader
from .known_polls import known_poll
from .poll import Asks, Poll, Run
from .poll_loops import poll_loops
from .source import own_code
from .source.ownership import is_standard_library

_DEEP_MOST = 64
_SLEEP = "sleep"
WHOLE = -1
"""In a run, in place of a loop: it is one call of a function."""


class _Called(NamedTuple):
    """A function somebody is in. `identity`: of this call of it; `frame`: None where it has none."""

    code: CodeType
    identity: object
    frame: FrameType | None


def of_task(task: asyncio.Task[Any], run: Run | None) -> Poll | None:
    """Of a suspended task. `run`: the one it was last seen in: it still is as long as that lasts."""
    links = chain(task.get_coro())
    return _found(_suspended(links), run) or _for_an_answer(links, run)


def of_threads(runs: Mapping[int, Run | None]) -> dict[int, Poll]:
    """Of those of these threads that are in such a loop, by ident. `runs`: as for tasks."""
    frames = current_frames()
    found: dict[int, Poll] = {}
    for ident, run in runs.items():
        frame = frames.pop(ident, None)
        poll = None if frame is None else _found(_outward(frame), run)
        if poll is not None:
            found[ident] = poll
    frames.clear()
    return found


def _suspended(links: list[SuspendedFrame]) -> Iterator[_Called]:
    """The functions that have a loop or are the program's own, innermost first."""
    for link in links[: -_DEEP_MOST - 1 : -1]:
        code = link.code
        known = known_poll(code)
        is_known = known.asks is not None or known.path_in is not None
        if is_known or own_code.is_own(code.co_filename) or poll_loops(code).has_any:
            try:
                yield _Called(link.code, ref(link.suspended), link.frame)
            except TypeError:  # no weak reference to what is of another type
                return


def _for_an_answer(links: list[SuspendedFrame], run: Run | None) -> Poll | None:
    """In a loop of a library that sleeps in each turn, called by the program's own code for what it gives: it looks
    round there for the answer, whatever else a turn does. What is called for nothing may go on for ever on purpose, as
    a server does."""
    if run is None and not (links and links[-1].code.co_name == _SLEEP):
        return None
    call: SuspendedFrame | None = None
    for link in links[: -_DEEP_MOST - 1 : -1]:
        code, lasti = link.code, link.lasti
        loops = poll_loops(code)
        if not own_code.is_own(code.co_filename):
            if lasti is not None and loops.at(lasti) is not None and not is_standard_library(code.co_filename):
                call = link
            continue
        uses = None if call is None or lasti is None else loops.uses(lasti)
        if call is None or lasti is None or uses is False:
            return None
        if uses:
            found = (ref(call.suspended), id(call.code), WHOLE)
            return Poll(found, Asks.CODE, "", f"{code.co_filename}:{link.line}") if run in (None, found) else None
    return None


def _outward(frame: FrameType | None) -> Iterator[_Called]:
    for _ in range(_DEEP_MOST):
        if frame is None:
            return
        yield _Called(frame.f_code, id(frame), frame)
        frame = frame.f_back


def _found(calls: Iterable[_Called], run: Run | None) -> Poll | None:
    """By the outermost function that is known to wait so, or else by the innermost loop that is no standard library's;
    where the run is known, by that."""
    inmost: tuple[Run, Asks, str] | None = None
    known: tuple[Run, Asks, str] | None = None
    does_something = False
    at = known_at = path = ""
    for code, identity, frame in calls:
        if frame is None:
            continue
        asks, path_in = known_poll(code).asks, known_poll(code).path_in
        path = _text_in(frame, path_in) if path_in is not None else path
        if asks is not None and (run is None or run == (identity, id(code), WHOLE)):
            known, known_at = ((identity, id(code), WHOLE), asks, ""), ""
        if inmost is None and not does_something and not is_standard_library(code.co_filename):
            loop = poll_loops(code).at(frame.f_lasti)
            here = None if loop is None else (identity, id(code), loop[0])
            if here is not None and loop is not None and (run is None or here == run):
                asks = loop[1] or Asks.CODE
                if loop[1] is None and run is None:
                    does_something = True  # each time
                else:
                    inmost = here, asks, poll_loops(code).catches(frame.f_lasti) if asks is Asks.AGAIN else ""
        if own_code.is_own(code.co_filename):
            at = at or (f"{code.co_filename}:{frame.f_lineno}" if inmost is not None else "")
            known_at = known_at or (f"{code.co_filename}:{frame.f_lineno}" if known is not None else "")
    if known is not None:
        # A lock that this very process has is given back by its own code alone.
        asks = Asks.STATE if path and file_locks.is_ours(path) else known[1]
        return Poll(known[0], asks, known[2], known_at)
    return None if inmost is None else Poll(*inmost, at)


def _text_in(frame: FrameType, index: int) -> str:
    """What a local of a function that stands has, where that is a text."""
    value: object = FrameReader(frame, repeat(0), 0).local(index)
    return value if type(value) is str else ""
