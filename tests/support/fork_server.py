# SPDX-License-Identifier: Apache-2.0
"""Commands as forks of a process that has imported all of them: real processes, which start without the second of
processor time that NumPy, DuckDB and gRPC take to be imported, or the quarter of one that a client takes. Linux only.

The servers are no children of the tests, some of which look at their children. They end with who has started them.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any, NoReturn

_ROOT = Path(__file__).parents[2]
CLIENT = ("peeps_collector.cli.main",)
COLLECTOR = (*CLIENT, "peeps_collector.collector", "uvicorn.protocols.http.h11_impl", "tests.support.compiled_spans")
_MESSAGE_MOST = 1 << 18
_START_S = 60.0


class Forked(subprocess.Popen[bytes]):
    """The `peeps` command with these arguments, as a fork of the server that has imported `modules`. One thread."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        stdin: IO[bytes],
        stdout: IO[bytes],
        stderr: IO[bytes],
        modules: Sequence[str] = COLLECTOR,
    ) -> None:
        self.args = words = list(arguments)
        self.stdin = self.stdout = self.stderr = None
        self.returncode: int | None = None
        self._server = _server(tuple(modules))
        self.pid = self._server.start(words, environment, (stdin.fileno(), stdout.fileno(), stderr.fileno()))

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._server.exit_code(self.pid, 0.0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self.returncode = self._server.exit_code(self.pid, timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return self.returncode

    def communicate(self, input: bytes | None = None, timeout: float | None = None) -> tuple[Any, Any]:
        """It has no pipes."""
        del input
        self.wait(timeout)
        return b"", b""


class _Server:
    def __init__(self, modules: Sequence[str]) -> None:
        self._connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            subprocess.run(
                [sys.executable, "-m", __name__, str(theirs.fileno()), *modules],
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                check=True,
            )
        self._ended: dict[int, int] = {}

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], standard: tuple[int, int, int]) -> int:
        """The pid of the new process."""
        asked = {"arguments": list(arguments), "environment": dict(environment), "folder": os.getcwd()}
        socket.send_fds(self._connection, [json.dumps(asked).encode()], standard)
        end = time.monotonic() + _START_S
        while "started" not in (said := self._next(end)):
            assert said, "the fork server does not answer"
        return said["started"]

    def exit_code(self, pid: int, seconds: float | None) -> int | None:
        """None: it has not ended within `seconds`; those None: it waits for ever."""
        end = None if seconds is None else time.monotonic() + seconds
        while pid not in self._ended and self._next(end):
            pass
        return self._ended.pop(pid, None)

    def _next(self, end: float | None) -> dict[str, int]:
        """What the server says next, until then; empty for nothing. Exit codes are kept."""
        seconds = None if end is None else max(0.0, end - time.monotonic())
        if not select.select([self._connection], [], [], seconds)[0]:
            return {}
        message = self._connection.recv(_MESSAGE_MOST)
        assert message, "the fork server has ended"
        said: dict[str, int] = json.loads(message)
        if "ended" in said:
            self._ended[said["ended"]] = said["code"]
        return said


@cache
def _server(modules: tuple[str, ...]) -> _Server:
    return _Server(modules)


def _serve(connection: socket.socket) -> list[str]:
    """Forks when asked. In a fork: the arguments of the command, which is to be run now."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, _woken)
    signal.set_wakeup_fd(wake)
    while True:
        ready, _, _ = select.select([connection, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _tell_ends(connection)
        if connection not in ready:
            continue
        message, descriptors, _, _ = socket.recv_fds(connection, _MESSAGE_MOST, 3)
        if not message:
            os._exit(0)
        asked: dict[str, Any] = json.loads(message)
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for number, descriptor in enumerate(descriptors):
                os.dup2(descriptor, number)
            for descriptor in (connection.detach(), woken, wake, *descriptors):
                os.close(descriptor)
            os.environ.clear()
            os.environ.update(asked["environment"])
            os.chdir(asked["folder"])
            return asked["arguments"]
        for descriptor in descriptors:
            os.close(descriptor)
        connection.send(json.dumps({"started": pid}).encode())


def _woken(_number: int, _frame: object) -> None:
    """So that a signal is noticed; what is to be done stands in the loop."""


def _tell_ends(connection: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        connection.send(json.dumps({"ended": pid, "code": os.waitstatus_to_exitcode(status)}).encode())


def _main(descriptor: int, modules: Sequence[str]) -> int:
    if os.fork():
        os._exit(0)
    for name in modules:
        __import__(name)
    gc.collect()
    gc.freeze()  # no fork has to look through it, nor to copy it for that
    arguments = _serve(socket.socket(fileno=descriptor))
    from peeps_collector.cli.main import main

    try:
        code = main(arguments)
    except SystemExit as end:
        if not isinstance(end.code, int):
            raise
        code = end.code
    _exit(code)


def _exit(code: int) -> NoReturn:
    """As the interpreter ends, but that it does not take itself to pieces: a fork would have to copy for that all that
    the server has imported, which takes longer than most commands."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]  the one way to have them run before os._exit
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    raise SystemExit(_main(int(sys.argv[1]), sys.argv[2:]))
