# SPDX-License-Identifier: Apache-2.0
"""Pipes between this process and a child: one that the child has filled, one from which it waits to read.

From Linux's `/proc`; nothing is found where that cannot be read.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from io import BufferedReader, BufferedWriter, FileIO, TextIOWrapper
from typing import Any, NamedTuple

from . import versions
from .process_files import access_mode, family, link_of, links
from .queued_bytes import is_full, waiting
from .stdlib import attribute
from .thread import READS, WRITES, system_call

CHECKED_ON = versions.on("CPython")

_FILES_MOST = 1000
_STANDARD_LAST = 2
_FAMILY_MOST = 30
_THREADS_MOST = 100
_PROCESSES_MOST = 4000


class FullPipe(NamedTuple):
    """`link`: as `/proc` names it. `fd`: our end. `held`: bytes in it. `written`: how much the child has ever written
    to anything: a pipe that is read is soon full again."""

    link: str
    fd: int
    held: int
    written: int = 0


def full_pipes() -> list[FullPipe]:
    """Those that this process has open for reading."""
    found: list[FullPipe] = []
    for fd, link in links("self", _FILES_MOST):
        if link.startswith("pipe:") and _reads(fd) and is_full(fd):
            found.append(FullPipe(link, fd, waiting(fd) or 0))
    return found


def filled_by(pid: int, full: list[FullPipe]) -> FullPipe | None:
    """The first of these pipes into which a process, or one that it has started, is waiting to write."""
    for one in family([pid], _FAMILY_MOST) if full else ():
        into = _written_into(one)
        pipe = next((pipe for pipe in full if pipe.link in into), None)
        written = None if pipe is None else _written(one)
        if pipe is not None and written is not None:
            return pipe._replace(written=written)
    return None


def empty_pipes() -> dict[str, int]:
    """Those that this process has open for writing and nobody else of its family, with its descriptor."""
    found = {link: fd for fd, link in links("self", _FILES_MOST) if link.startswith("pipe:") and _writes(fd)}
    return {link: fd for link, fd in found.items() if not waiting(fd)}


def read_by(pid: int, empty: dict[str, int]) -> str:
    """The first of these pipes from which a process, or one that it has started, is waiting to read, and which nobody
    but this process could write; empty where there is none."""
    for one in family([pid], _FAMILY_MOST) if empty else ():
        for link in _in_calls(one, READS):
            if link in empty and not _others_write(link):
                return link
    return ""


def keeper_of_input(pid: int) -> str:
    """Of a process that waits to read from a pipe which this process cannot write: who of this one's family has it open
    to write, where that is by no standard stream of his: it was inherited by chance; empty where that is not so."""
    for link in _in_calls(pid, READS):
        if not link.startswith("pipe:"):
            continue
        writers = {
            other: fds
            for other in family([os.getpid()], _FAMILY_MOST)
            if (fds := [fd for fd, at in links(other, _FILES_MOST) if at == link and _may_write(other, fd)])
        }
        by_chance = all(min(fds) > _STANDARD_LAST for fds in writers.values())
        if writers and os.getpid() not in writers and pid not in writers and by_chance:
            return called(next(iter(writers)))
    return ""


def _may_write(pid: int, fd: int) -> bool:
    return access_mode(pid, fd) != os.O_RDONLY


def _others_write(link: str) -> bool:
    """Whether another process of this one's family has the end of a pipe by which it is written."""
    own = os.getpid()
    for pid in (*family([own], _FAMILY_MOST), os.getppid()):
        if pid == own:
            continue
        if any(other == link and access_mode(pid, fd) != os.O_RDONLY for fd, other in links(pid, _FILES_MOST)):
            return True
    return False


def _written_into(pid: int) -> set[str]:
    """What the threads of a process are writing to at this moment, as `/proc` names it."""
    return _in_calls(pid, WRITES)


def _in_calls(pid: int, calls: frozenset[int]) -> set[str]:
    """What the threads of a process read from or write to at this moment, as `/proc` names it."""
    found: set[str] = set()
    try:
        threads = os.listdir(f"/proc/{pid}/task")[:_THREADS_MOST]
    except OSError:
        return found
    for thread in threads:
        call = system_call(int(thread), pid)
        if call is not None and call[0] in calls:
            found.add(link_of(call[1], pid))
    return found - {""}


def has_ended(pid: int) -> bool:
    """Whether a child has ended, whether or not it was waited for."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read(512).rpartition(b") ")[2][:1] in (b"Z", b"X")
    except FileNotFoundError:
        return True
    except OSError:
        return False


def outputs_of(process: Any) -> list[int]:
    """The descriptors by which this process reads what a `subprocess.Popen` prints."""
    fds = [_descriptor(attribute(process, name)) for name in ("stdout", "stderr")]
    return [fd for fd in fds if fd is not None]


def keeper_of(outputs: Iterable[int]) -> str:
    """Another process that has one of these pipes open to write, as `sleep (pid 4712)`; empty where none is found:
    those of other users are not seen."""
    wanted = {link_of(fd) for fd in outputs} - {""}
    own = os.getpid()
    try:
        processes = [int(name) for name in os.listdir("/proc") if name.isdecimal()][:_PROCESSES_MOST]
    except OSError:
        return ""
    for pid in processes if wanted else ():
        if pid != own and any(
            link in wanted and access_mode(pid, fd) != os.O_RDONLY for fd, link in links(pid, _FILES_MOST)
        ):
            return called(pid)
    return ""


def called(pid: int) -> str:
    """`sleep (pid 4712)`."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return f"{file.read(64).strip()} (pid {pid})"
    except OSError:
        return f"pid {pid}"


def stream_name(process: Any, fd: int) -> str:
    """`its stdout`, where the descriptor is that of a `subprocess.Popen`; empty otherwise."""
    for name in ("stdin", "stdout", "stderr"):
        if _descriptor(attribute(process, name)) == fd:
            return f"its {name}"
    return ""


def _descriptor(stream: Any) -> int | None:
    """Of the standard library's own types alone, which are written in C."""
    if type(stream) is TextIOWrapper:
        stream = stream.buffer
    if type(stream) in (BufferedReader, BufferedWriter):
        stream = stream.raw
    try:
        return stream.fileno() if type(stream) is FileIO else None
    except ValueError:  # closed
        return None


def _reads(fd: int) -> bool:
    try:
        return fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
    except OSError:
        return False


def _writes(fd: int) -> bool:
    try:
        return fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
    except OSError:
        return False


def _written(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/io", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("wchar:"))
    except (OSError, StopIteration, ValueError):
        return None
