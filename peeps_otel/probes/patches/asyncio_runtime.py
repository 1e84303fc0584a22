# SPDX-License-Identifier: Apache-2.0
"""asyncio rewritten in place, and uvloop as soon as the program imports it. One per process; it outlives a fork."""

from __future__ import annotations

from collections.abc import Callable

from ...model.coverage import blind
from ..internals import asyncio_core as internals
from . import asyncio_patch, import_hook, uvloop_patch
from .recorder import Recorder


class AsyncioPatch:
    """`install` and `uninstall` from any thread, both idempotent. `coverage`: what could not be rewritten."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._undo: list[Callable[[], None]] = []
        self._foreign_loops = False
        self.coverage: list[str] = []

    @property
    def installed(self) -> bool:
        return bool(self._undo)

    def install(self) -> None:
        if self._undo:
            return
        note = internals.version_note()
        self.coverage += [note if internals.VERSION_PARTLY_CHECKED else blind(note)] if note else []
        self._undo, refused = asyncio_patch.install(self._recorder)
        self.coverage += refused
        self._undo.append(import_hook.when_imported("uvloop", self._for_foreign_loops))

    def uninstall(self) -> None:
        """Leaves every function's code as it was."""
        for undo in reversed(self._undo):
            undo()
        self._undo, self.coverage, self._foreign_loops = [], [], False

    def _for_foreign_loops(self) -> None:
        """uvloop was imported: its `create_task` is written in C."""
        if self._undo and not self._foreign_loops:
            self._foreign_loops = True
            undo, refused = uvloop_patch.install(self._recorder)
            self._undo += undo
            self.coverage += refused
