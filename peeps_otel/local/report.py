# SPDX-License-Identifier: Apache-2.0
"""All that a process tells of itself as text: by itself when something is stuck, and whenever it is asked."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from .. import native
from ..config import Config
from ..model import Snapshot
from ..watcher.interfaces import CycleResult, ExporterUsage
from ..watcher.thread import Watcher
from . import run_channel
from .asking import NoPicture, looked
from .destination import STDERR, Destination, named
from .dump_signal import DumpSignals
from .dumping import write
from .reporter import Reporter, framed

if TYPE_CHECKING:
    from .exit_signal import ExitSignal

_ASKED_S = 1.0


class Report:
    """A `LookConsumer`. `watcher`: that of this process, asked when it is needed."""

    def __init__(self, config: Config, watcher: Callable[[], Watcher]) -> None:
        self._watcher = watcher
        self._dump_file = config.dump_file
        self._destination = Destination(config.report or STDERR)
        self._reporter = Reporter(self._destination) if config.report else None
        self._signals = DumpSignals(config.dump_signal, self._asked)
        self._exit = self._exit_signal(config.dump_on_exit_s)
        self._busy = native.Lock()

    def start(self) -> None:
        """From now on it can be asked."""
        for signum in self._signals.install():
            name = signal.strsignal(signum) or "it"
            self._destination.write(
                f"peeps: signal {signum} ({name}) is the program's, and does not ask for the verdict"
            )
        if self._exit is not None and (reason := self._exit.install()):
            self._destination.write(f"peeps: a SIGTERM does not ask for the verdict: {reason}")
        run_channel.listen(os.environ, self._asked)

    def end(self) -> None:
        """It cannot be asked any more."""
        self._signals.uninstall()
        if self._exit is not None:
            self._exit.uninstall()

    def take(self, look: CycleResult) -> None:
        if self._reporter is not None:
            self._reporter.take(look)

    def spent(self) -> ExporterUsage:
        return ExporterUsage(0, 0)

    def goodbye(self, snapshot: Snapshot) -> None:
        """What there was to tell was told."""

    def _exit_signal(self, seconds: float) -> ExitSignal | None:
        """None where nobody wants one, or `peeps run` asks before it hands on a SIGTERM."""
        if not seconds or run_channel.is_open(os.environ):
            return None
        from .exit_signal import ExitSignal  # needs what not every system has

        return ExitSignal(seconds, self._asked)

    def _asked(self) -> None:
        """Writes the verdict of now, and the dump where one is wanted. One after the other."""
        with self._busy:
            try:
                picture = looked(self._watcher(), _ASKED_S)
            except (NoPicture, RuntimeError) as error:
                self._destination.write(f"peeps: no verdict of pid {os.getpid()}: {error}")
                return
            text = framed(picture, replace(picture, not_asked="").account())
            if self._dump_file:
                path = named(self._dump_file, time.time_ns())
                try:
                    write(picture, path)
                    text += f"\nThe whole picture is in {path}: `peeps ps {path}`"
                except OSError as error:
                    text += f"\n{path} could not be written: {error.strerror or error}"
            self._destination.write(text)
