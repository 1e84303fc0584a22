# SPDX-License-Identifier: Apache-2.0
"""A collector says every two seconds that it lives, and hears who the head is."""

from __future__ import annotations

import threading
from collections.abc import Callable

import psycopg

from .members import Member, Members

_SECONDS = 2.0


class Presence:
    """`heard` is called on its thread with the members, each time."""

    def __init__(self, catalog: str, name: str, heard: Callable[[list[Member]], None]) -> None:
        self._catalog = catalog
        self._name = name
        self._heard = heard
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="peeps-members", daemon=True)
        self._otlp = self._api = ""
        self.failure = ""
        """Why it could not be said last; empty where it could."""

    def start(self, otlp: str, api: str) -> None:
        """`otlp`, `api`: URLs."""
        self._otlp, self._api = otlp, api
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(10)

    def _run(self) -> None:
        members: Members | None = None
        while True:
            try:
                members = members or Members(self._catalog)
                if self._stop.is_set():
                    members.leave(self._name, self._otlp)
                    members.close()
                    return
                members.say(self._name, self._otlp, self._api)
                self._heard(members.all())
                self.failure = ""
            except psycopg.Error as error:
                self.failure = f"the catalog does not answer: {str(error).splitlines()[0] if str(error) else error!r}"
                if members is not None:
                    members.close()
                members = None
                if self._stop.is_set():
                    return
            self._stop.wait(_SECONDS)
