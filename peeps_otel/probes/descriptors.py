# SPDX-License-Identifier: Apache-2.0
"""What a thread reads from or writes to in a call that names no object which is shown: by the descriptor of the system
call it is in. Pipes and sockets alone: of a file or a terminal nobody else has the other end."""

from __future__ import annotations

from ..model.operations import operation
from .internals import process_files
from .internals.asyncio_io import Descriptor
from .internals.thread import TRANSFERS, system_call

_BY_CALL = frozenset(
    operation(name)
    for name in ("file.read", "file.write", "connection.recv", "connection.send", "ssl.read", "ssl.write")
)
_KEPT_MOST = 500


class Descriptors:
    """For the watcher thread only. One object for each descriptor, so that it is one node for all who wait for it."""

    def __init__(self) -> None:
        self._known: dict[str, Descriptor] = {}

    def waited_for(self, operation_name: str, native_id: int | None) -> Descriptor | None:
        """The pipe or socket that a sleeping thread waits for; None where that is not told."""
        if operation(operation_name) not in _BY_CALL:
            return None
        call = system_call(native_id)
        if call is None or call[0] not in TRANSFERS:
            return None
        fd, link = call[1], process_files.link_of(call[1])
        if not link.startswith(("pipe:", "socket:")):
            return None
        known = self._known.get(link)
        if known is None or known.fd != fd:
            if len(self._known) >= _KEPT_MOST:
                self._known.pop(next(iter(self._known)))
            known = self._known[link] = Descriptor(fd, link)
        return known
