# SPDX-License-Identifier: Apache-2.0
"""The lead among the heads: a lock of PostgreSQL on a connection of its own. It ends with this process, however that
ends, and with the connection: then somebody else may have it, and this one must stop at once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

import psycopg

from .members import HEAD, Member, Members

_SECONDS = 1.0


class Lead:
    """`take` and `close` on one thread. Raises psycopg.Error."""

    def __init__(self, catalog: str) -> None:
        self._members = Members(catalog)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.members: list[Member] = []
        """Who was heard of, as of the last second; for any thread."""

    def take(self) -> bool:
        """Whether this one has it now. Raises psycopg.Error."""
        return self._members.lead()

    def hold(self, otlp: str, api: str, lost: Callable[[str], None]) -> None:
        """Tells the members where the head is, each second, on a thread. `lost`: is called there once, where that does
        not get through any more."""

        def run() -> None:
            try:
                while not self._stop.is_set():
                    self._members.say(HEAD, otlp, api)
                    self.members = self._members.all()
                    self._stop.wait(_SECONDS)
                self._members.leave(HEAD, otlp)
            except psycopg.Error as error:
                lost(str(error).splitlines()[0] if str(error) else type(error).__name__)

        self._thread = threading.Thread(target=run, name="peeps-lead", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """It is to end: nobody is told any more where the head is."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(10)

    def close(self) -> None:
        """Another one may have it."""
        with contextlib.suppress(psycopg.Error):
            self._members.close()
