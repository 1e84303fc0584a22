# SPDX-License-Identifier: Apache-2.0
"""Commands as forks of a process that has imported all of them: real processes, which start without the second of
processor time that NumPy, DuckDB and gRPC take to be imported, or the quarter of one that a client takes. Linux only.

There is one server for all the workers of a run: whoever needs it first starts it. It is no child of the tests, some of
which look at their children, and ends when the last of the workers has gone.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any, NoReturn

_ROOT = Path(__file__).parents[2]
CLIENT = ("peeps_collector.cli.main",)
COLLECTOR = (*CLIENT, "peeps_collector.collector", "uvicorn.protocols.http.h11_impl", "tests.support.compiled_spans")
_MESSAGE_MOST = 1 << 18
_START_S = 60.0
_TURN_S = 0.01
_LINGER_S = 1.0
_RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID") or uuid.uuid4().hex
"""The same in all workers of a run."""


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
        self._connection = _connected(modules)
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


def _connected(modules: Sequence[str]) -> socket.socket:
    """To the server of this run that has imported `modules`. AssertionError where none answers in time."""
    key = zlib.crc32("\n".join([sys.executable, *modules]).encode())
    name = f"\0peeps-tests-{_RUN}-{key:x}"  # abstract: it ends with the last socket of that name
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        _start_once(name, modules)
        connection = _socket()
        connection.settimeout(_START_S)
        try:
            connection.connect(name)
            if connection.recv(_MESSAGE_MOST):  # it is ready, and has not ended just now
                connection.settimeout(None)
                return connection
        except ConnectionError:
            pass
        connection.close()
        time.sleep(_TURN_S)
    raise AssertionError("the fork server does not start")


def _start_once(name: str, modules: Sequence[str]) -> None:
    with _socket() as listening:
        try:
            listening.bind(name)
        except OSError:  # one of the other workers has it
            return
        listening.listen(64)
        subprocess.run(
            [sys.executable, "-m", __name__, str(listening.fileno()), *modules],
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[listening.fileno()],
            check=True,
        )


def _socket() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)


class _Serving:
    """The server: forks for each that is connected when it is asked to, and tells it of the ends of its forks."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        self._connections: dict[int, socket.socket] = {}
        self._who_asked: dict[int, socket.socket] = {}

    def run(self) -> list[str]:
        """Ends when nobody is connected any more. In a fork: the arguments of the command, which is to be run now."""
        signal.signal(signal.SIGCHLD, _woken)
        signal.set_wakeup_fd(self._wake)
        while True:
            some = [self._listening, self._woken, *self._connections.values()]
            ready, _, _ = select.select(some, [], [], None if self._connections else _LINGER_S)
            if not ready and not self._connections:
                os._exit(0)
            if self._woken in ready:
                os.read(self._woken, 4096)
                self._tell_ends()
            if self._listening in ready:
                self._accept()
            for connection in list(self._connections.values()):
                if connection in ready and (arguments := self._asked(connection)) is not None:
                    return arguments

    def _accept(self) -> None:
        connection, _ = self._listening.accept()
        _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid != os.getuid():
            connection.close()
            return
        self._connections[connection.fileno()] = connection
        self._tell(connection, {"ready": 1})

    def _asked(self, connection: socket.socket) -> list[str] | None:
        """None in the server itself."""
        try:
            message, descriptors, _, _ = socket.recv_fds(connection, _MESSAGE_MOST, 3)
        except ConnectionError:
            message, descriptors = b"", []
        if not message:
            del self._connections[connection.fileno()]
            connection.close()
            return None
        asked: dict[str, Any] = json.loads(message)
        pid = os.fork()
        if pid == 0:
            self._leave(descriptors)
            os.environ.clear()
            os.environ.update(asked["environment"])
            os.chdir(asked["folder"])
            return asked["arguments"]
        for descriptor in descriptors:
            os.close(descriptor)
        self._who_asked[pid] = connection
        self._tell(connection, {"started": pid})
        return None

    def _leave(self, standard: Sequence[int]) -> None:
        """In a fork: nothing of the server is left, and `standard` are its input, output and errors."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, descriptor in enumerate(standard):
            os.dup2(descriptor, number)
        sockets = [self._listening, *self._connections.values()]
        for descriptor in (*(one.detach() for one in sockets), self._woken, self._wake, *standard):
            os.close(descriptor)

    def _tell_ends(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._tell(self._who_asked.pop(pid), {"ended": pid, "code": os.waitstatus_to_exitcode(status)})

    def _tell(self, connection: socket.socket, what: dict[str, int]) -> None:
        with contextlib.suppress(OSError):  # it has gone
            connection.send(json.dumps(what).encode())


def _woken(_number: int, _frame: object) -> None:
    """So that a signal is noticed; what is to be done stands in the loop."""


def _main(descriptor: int, modules: Sequence[str]) -> int:
    if os.fork():
        os._exit(0)
    for name in modules:
        __import__(name)
    gc.collect()
    gc.freeze()  # no fork has to look through it, nor to copy it for that
    arguments = _Serving(socket.socket(fileno=descriptor)).run()
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
