# SPDX-License-Identifier: Apache-2.0
"""How we and the copy speak: by a Unix socket of ours. In the same network namespace it has no file; else it is a file
in the process's own `/tmp`, which is gone as soon as the copy has connected."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import struct
import time
from contextlib import suppress
from types import TracebackType
from typing import Any

from . import kernel_view
from .carried import packed, unpacked
from .refused import NotNow, Refused

_SECRET_SIZE = 32
_ANSWER_MOST = 1 << 30


class Channel:
    """For one copy. A context manager: at its end the copy is ended too, whatever state it is in."""

    def __init__(self, pid: int, status: dict[str, str]) -> None:
        self.secret = secrets.token_bytes(_SECRET_SIZE)
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connection: socket.socket | None = None
        self._copy: int | None = None  # a descriptor of the process
        self._folder = ""
        name = f"peeps-attach-{secrets.token_hex(16)}"
        if kernel_view.same_namespace(pid, "net"):
            self.address: str | bytes = b"\0" + name.encode()
            self._listening.bind(self.address)
        else:
            self._in_its_folder(pid, status, name)
        self._listening.listen(1)

    def _in_its_folder(self, pid: int, status: dict[str, str], name: str) -> None:
        folder = f"/proc/{pid}/root/tmp/{name}"
        try:
            os.mkdir(folder, 0o700)
            self._folder = folder
            self._listening.bind(f"{folder}/s")
            user, group = (int(status[key].split()[1]) for key in ("Uid", "Gid"))
            for path in (folder, f"{folder}/s"):
                os.chown(path, user, group)
        except OSError as error:
            self._forget_folder()
            raise Refused(f"it is in another container, and its /tmp cannot be written to: {error.strerror}") from None
        self.address = f"/tmp/{name}/s"

    def __enter__(self) -> Channel:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listening.close()
        self._forget_folder()
        if self._copy is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._copy, signal.SIGKILL)
            os.close(self._copy)
        if self._connection is not None:
            self._connection.close()

    def _forget_folder(self) -> None:
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""

    def accept(self, uid: int, timeout_s: float) -> None:
        """Waits for the copy. Raises NotNow where none has come in time."""
        self._listening.settimeout(timeout_s)
        try:
            self._connection, _ = self._listening.accept()
        except TimeoutError:
            raise NotNow("the copy of it that was to look did not come to life") from None
        peer, user, _ = struct.unpack("<3i", self._connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if user != uid:
            raise Refused(f"somebody else (user {user}) has answered")
        with suppress(OSError):  # it has ended
            self._copy = os.pidfd_open(peer)
        self._forget_folder()

    def ask(self, request: dict[str, Any], timeout_s: float) -> dict[str, object]:
        """The copy's answer. Raises NotNow where there is none in time."""
        assert self._connection is not None
        end_s = time.monotonic() + timeout_s
        self._connection.settimeout(timeout_s)
        body = packed(request)
        try:
            self._connection.sendall(self.secret + len(body).to_bytes(8, "little") + body)
            size = int.from_bytes(self._read(8, end_s), "little")
            answer = unpacked(self._read(min(size, _ANSWER_MOST), end_s))
        except TimeoutError:
            raise NotNow(f"the copy of it has not answered within {timeout_s:.0f} s") from None
        except (OSError, EOFError, ValueError, TypeError):
            raise NotNow("the copy of it that looked has died") from None
        if not isinstance(answer, dict):
            raise Refused("the copy has answered something else")
        return answer  # pyright: ignore[reportUnknownVariableType]  # of JSON

    def _read(self, size: int, end_s: float) -> bytes:
        assert self._connection is not None
        found = bytearray()
        while len(found) < size:
            self._connection.settimeout(max(0.001, end_s - time.monotonic()))
            part = self._connection.recv(min(size - len(found), 1 << 20))
            if not part:
                raise EOFError
            found += part
        return bytes(found)
