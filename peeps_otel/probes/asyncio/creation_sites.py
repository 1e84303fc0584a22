# SPDX-License-Identifier: Apache-2.0
"""Where tasks of a coroutine function are created: for those whose own creation was not recorded."""

from __future__ import annotations

from types import CodeType

_MOST = 4096


class CreationSites:
    """What the recorded creations tell about the others. For the watcher thread only.

    A coroutine function that was always seen to be started at one place is taken to have been started there again;
    one that was started at two is not guessed about.
    """

    def __init__(self) -> None:
        self._sources: dict[int, tuple[CodeType, str | None]] = {}  # by `id(code)`; None: several places

    def learn(self, code: CodeType, source: str) -> None:
        known = self._sources.get(id(code))
        if known is None:
            if len(self._sources) < _MOST:
                self._sources[id(code)] = (code, source)
        elif known[1] is not None and known[1] != source:
            self._sources[id(code)] = (code, None)

    def of(self, code: CodeType) -> str | None:
        """The only known `path:line`, or None."""
        known = self._sources.get(id(code))
        return None if known is None else known[1]
