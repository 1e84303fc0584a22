# SPDX-License-Identifier: Apache-2.0
"""Looks all through a session, for `--peeps` and `--peeps-strict`. Nothing of the code under test is changed."""

from __future__ import annotations

import os

from ..local.asking import looked, own_looking
from ..local.picture import Picture, of_observation
from ..model import Finding
from ..probes.probe import Observation
from ..watcher.interfaces import Waiting


class SessionWatch:
    """A watcher of its own, beside an agent that the code under test may start and stop. Main thread."""

    def __init__(self, *, record: bool) -> None:
        """`record`: who created a task is written down, by a rewritten asyncio."""
        self._looking = own_looking(os.environ, record=record)
        self._watcher = self._looking.watcher
        self._last = _LastFound()
        self._watcher.rules.append(self._last)
        self._watcher.start()

    def stop(self) -> None:
        self._watcher.stop()
        self._looking.end()

    def picture(self) -> Picture:
        """Of now. Raises NoPicture."""
        return looked(self._watcher)

    def test_begins(self) -> None:
        self._last.picture = None

    @property
    def last_verdict(self) -> str:
        """Of the last look of this test that found something, else of the last one; empty where none was taken."""
        return "" if self._last.picture is None else self._last.picture.account()


class _LastFound:
    """A `WatcherRule` that finds nothing itself: it comes last, and keeps in words what the others have found; where
    they find nothing, who waited."""

    def __init__(self) -> None:
        self.picture: Picture | None = None

    def look(self, observation: Observation, waiting: Waiting, findings: list[Finding], now_ns: int) -> list[Finding]:
        if findings or self.picture is None or not self.picture.stuck:
            self.picture = of_observation(observation, findings, now_ns)
        return []
