# SPDX-License-Identifier: Apache-2.0
"""Starts the processes beside the program: a Python without its site-packages, environment, terminal and open files."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from .exit_guard import SOCKET_FD
from .sidecar import LIFE_FD, PAGE_FD

_FOLDER = str(Path(__file__).resolve().parent.parent)
# The folder that holds the package `watchdog`, not the one that holds ours: what we import elsewhere is too large.
_PROGRAM = "import sys; sys.path.append({!r}); from watchdog.{} import main; main()"
_INTERPRETER = re.compile(r"(python|pypy)[0-9.]*t?d?")


class CannotLaunch(Exception):
    """Why there is no sidecar, in words."""


def interpreter() -> str:
    """The Python to run it with. Raises CannotLaunch where the program is not run by a Python that can be found."""
    executable = sys.executable
    if getattr(sys, "frozen", False) or not executable or not _INTERPRETER.fullmatch(Path(executable).name):
        raise CannotLaunch(f"{executable or 'the executable'} is not a Python interpreter")
    return executable


def launch(page_fd: int, life_fd: int, tid: int, signum: int) -> None:
    """Returns when the sidecar runs. Raises CannotLaunch, OSError.

    `page_fd`: the file with the page; `life_fd`: the reading end of a pipe whose writing end only this process has.
    Both above LIFE_FD: they are copied to the low numbers one after the other.
    """
    _launch("sidecar", (tid, signum), [(page_fd, PAGE_FD), (life_fd, LIFE_FD)])


def launch_exit_guard(socket_fd: int, seconds: float) -> None:
    """The same of the process that ends this one `seconds` after something came on a socket that nobody here reads."""
    _launch("exit_guard", (seconds,), [(socket_fd, SOCKET_FD)])


def _launch(module: str, arguments: Sequence[float], files: Sequence[tuple[int, int]]) -> None:
    """`files`: our descriptors, and as what it has them."""
    flags = ["-I", "-S", *(["-B"] if sys.dont_write_bytecode else [])]
    null = os.devnull
    pid = os.posix_spawn(
        interpreter(),
        [sys.executable, *flags, "-c", _PROGRAM.format(_FOLDER, module), str(os.getpid()), *map(str, arguments)],
        {},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, null, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, null, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, null, os.O_WRONLY, 0),
            *((os.POSIX_SPAWN_DUP2, ours, theirs) for ours, theirs in files),
        ],
        setsid=True,
    )
    try:
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:
        return  # the program waits for all its children, and was faster
    if status:
        raise CannotLaunch(f"the {module} ended at once ({os.waitstatus_to_exitcode(status)})")
