# SPDX-License-Identifier: Apache-2.0
"""Child processes that somebody waits for: whether they have filled a pipe to us, which nobody reads, wait to read from
one that only we could write, or have ended while another process keeps their output open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .. import semconv
from ..model import AttributeValue
from .identity import Identities
from .internals import asyncio_io, child_pipes
from .internals import stdlib as stdlib_internals
from .internals.child_pipes import FullPipe

_WATCHED_MOST = 200
_EVERY_NS = 1_000_000_000
_SHOWN_AFTER_NS = 3_000_000_000
_SOUGHT_EVERY_NS = 10_000_000_000


@dataclass(slots=True)
class _Child:
    """`pipe`: the one that it has filled, as it stood since `since_ns`; None: none. `reads`: the one from which it
    waits to read since `reads_since_ns`; empty: none. `kept_by`: who else keeps its input open, since `kept_since_ns`;
    empty: nobody by chance. `keeper`: who has its output open since it has ended, looked for
    at `sought_ns`; empty: nobody is known to."""

    pid: int
    pipe: FullPipe | None = None
    name: str = ""
    since_ns: int = 0
    reads: str = ""
    input: str = ""
    reads_since_ns: int = 0
    kept_by: str = ""
    kept_since_ns: int = 0
    keeper: str = ""
    ended_ns: int = 0
    sought_ns: int = 0


class Children:
    """For the watcher thread only."""

    def __init__(self) -> None:
        self._watched: Identities[_Child] = Identities()
        self._looked_ns = 0

    def waited_for(self, process: Any) -> None:
        """Somebody waits for the end of this process."""
        if self._watched.get(process) is not None or len(self._watched) >= _WATCHED_MOST:
            return
        pid = asyncio_io.process_id(process) or stdlib_internals.pid(process)
        if pid is not None:
            self._watched.put(process, _Child(pid))

    def look(self, now_ns: int) -> None:
        """Once a second, while anybody is waited for: which pipes to us are full, who has filled them, and who has one
        that its child has left."""
        if not len(self._watched) or now_ns - self._looked_ns < _EVERY_NS:
            return
        self._looked_ns = now_ns
        self._watched.forget_dead()
        full, empty = child_pipes.full_pipes(), child_pipes.empty_pipes()
        for reference, child in self._watched.records():
            pipe = child_pipes.filled_by(child.pid, full)
            if pipe != child.pipe:
                child.pipe, child.since_ns = pipe, now_ns
                process = reference()
                child.name = "" if pipe is None or process is None else child_pipes.stream_name(process, pipe.fd)
            reads = child_pipes.read_by(child.pid, empty)
            if reads != child.reads:
                child.reads, child.reads_since_ns = reads, now_ns
                process = reference()
                child.input = "" if not reads or process is None else child_pipes.stream_name(process, empty[reads])
            kept_by = "" if reads or pipe is not None else child_pipes.keeper_of_input(child.pid)
            if kept_by != child.kept_by:
                child.kept_by, child.kept_since_ns = kept_by, now_ns
            process = reference()
            if process is not None:
                _seek_keeper(child, process, now_ns)

    def of(self, process: object, now_ns: int) -> dict[str, AttributeValue]:
        """What to say of a child that has filled a pipe or waits for input; empty for any other."""
        child = self._watched.get(process)
        if child is None:
            return {}
        if child.keeper:
            return {semconv.COMMAND_PIPE_KEPT_BY: child.keeper, semconv.IO_UNMOVED_SINCE: child.ended_ns}
        if child.reads and now_ns - child.reads_since_ns >= _SHOWN_AFTER_NS:
            about = child.input or "a pipe from this process"
            return {semconv.COMMAND_AWAITS_INPUT: about, semconv.IO_UNMOVED_SINCE: child.reads_since_ns}
        if child.kept_by and now_ns - child.kept_since_ns >= _SHOWN_AFTER_NS:
            return {
                semconv.COMMAND_AWAITS_INPUT: "a pipe",
                semconv.COMMAND_PIPE_KEPT_BY: child.kept_by,
                semconv.IO_UNMOVED_SINCE: child.kept_since_ns,
            }
        if child.pipe is None or now_ns - child.since_ns < _SHOWN_AFTER_NS:
            return {}
        return {
            semconv.IO_UNMOVED_SINCE: child.since_ns,
            semconv.IO_UNSENT: child.pipe.held,
            semconv.COMMAND_FULL_PIPE: child.name or "a pipe to this process",
        }


def _seek_keeper(child: _Child, process: Any, now_ns: int) -> None:
    """Who has the output of a child that has ended: all processes must be asked, so it is done seldom."""
    if not child_pipes.has_ended(child.pid):
        child.ended_ns, child.keeper = 0, ""
        return
    child.ended_ns = child.ended_ns or now_ns
    if now_ns - child.ended_ns >= _SHOWN_AFTER_NS and now_ns - child.sought_ns >= _SOUGHT_EVERY_NS:
        child.sought_ns = now_ns
        outputs = child_pipes.outputs_of(process) or asyncio_io.outputs_of(process)
        child.keeper = child_pipes.keeper_of(outputs)
