# SPDX-License-Identifier: Apache-2.0
"""Runs in the copy: what is asked of the system about "this process" is answered of the process, which the copy is not.

The copy has its memory, but neither its threads, nor its files, nor its children, nor its parent. It is thrown away, so
that functions of modules that everybody uses may be replaced in it.
"""

from __future__ import annotations

import builtins
import errno
import fcntl
import os
import termios
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from ..probes import runtime
from ..probes.runtime import SeenThread, borrow, seen_before

_PIPE_SIZE = 1032  # F_GETPIPE_SZ
_SELF = "/proc/self/"
_OF_THE_COPY = ("/stat", "/statm", "/oom_score_adj", "/comm")
"""Of the process as it is now, which has gone on: threads are told as they were when the copy was made."""


def be_as_the_process(request: dict[str, Any], frame: FrameType | None) -> None:
    """`frame`: where the thread was that this runs on."""
    inner: int = request["inner_pid"]
    parent: int = request["inner_parent"]
    os.getppid = lambda: parent
    _see_files_of(inner)
    _see_what_stands_at(request.get("descriptors", {}))
    borrow(frame)
    runtime.takes_beats = _never  # nobody runs here who would answer
    seen = {native_id: SeenThread(*facts) for native_id, facts in request["seen"].items()}
    seen_before(seen, request["native_ids"])


def _see_files_of(pid: int) -> None:
    def there(path: Any) -> Any:
        if type(path) is str and path.startswith(_SELF) and not path.endswith(_OF_THE_COPY):
            return f"/proc/{pid}/{path[len(_SELF) :]}"
        return path

    def asked_there(function: Callable[..., Any]) -> Callable[..., Any]:
        def of_the_process(path: Any = ".", *arguments: Any, **named: Any) -> Any:
            return function(there(path), *arguments, **named)

        return of_the_process

    for name in ("readlink", "listdir", "stat"):
        setattr(os, name, asked_there(getattr(os, name)))
    builtins.open = asked_there(open)


def _see_what_stands_at(descriptors: dict[int, tuple[Any, ...]]) -> None:
    """`descriptors`: as `DescriptorFacts`."""

    def told(fd: Any, what: int) -> int | None:
        facts = descriptors.get(fd)
        if facts is None:
            return None
        flags, waiting, unsent, size, _, _ = facts
        return {fcntl.F_GETFL: flags, termios.FIONREAD: waiting, termios.TIOCOUTQ: unsent, _PIPE_SIZE: size}.get(what)

    def control(fd: Any, what: int, *_: Any) -> int:
        answer = told(fd, what)
        if answer is None:
            raise OSError(errno.EBADF, "not open in a copy")
        return answer

    def device(fd: Any, what: int, into: Any, *_: Any) -> int:
        into[0] = control(fd, what)
        return 0

    fcntl.fcntl, fcntl.ioctl = control, device
    runtime.told_addresses({fd: (one[4], one[5]) for fd, one in descriptors.items()})


def _never(_loop: object) -> bool:
    return False


class Clock:
    """Puts back the clocks of the copy: its first look is as of the visit before."""

    def __init__(self) -> None:
        self.back_ns = 0
        for name in ("time_ns", "monotonic_ns", "perf_counter_ns"):
            setattr(time, name, self._whole(getattr(time, name)))
        for name in ("time", "monotonic", "perf_counter"):
            setattr(time, name, self._seconds(getattr(time, name)))

    def _whole(self, read: Callable[[], int]) -> Callable[[], int]:
        return lambda: read() - self.back_ns

    def _seconds(self, read: Callable[[], float]) -> Callable[[], float]:
        return lambda: read() - self.back_ns / 1e9
