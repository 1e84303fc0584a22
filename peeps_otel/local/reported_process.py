# SPDX-License-Identifier: Apache-2.0
"""A process that is watched for its own report alone: no OpenTelemetry, no collector, the standard library alone."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Mapping

from ..config import Config, read
from ..interpreter_internals import is_free_threaded, is_main
from ..looking import Looking, Patches
from ..model.change import Change
from ..probes.context import ProbeContext
from ..probes.inherited import Inherited, ThreadHold
from ..watched_process import WatchedProcess, is_helper_process
from .report import Report

CHANGES = (
    Change(
        "the environment of the program and of its children",
        "`PYTHONPATH` begins with a folder whose `sitecustomize` starts us, takes itself off `sys.path` and loads the "
        "one that was there; `PEEPS_REPORT`, `PEEPS_DUMP_SIGNAL` and `PEEPS_DUMP_FILE` say what the options said",
        "by `peeps run`",
        "with the program",
        "`peeps run`",
    ),
    Change(
        "`sys.modules['peeps_otel']`",
        "loaded from where `peeps` is, into an environment without us",
        "by `peeps run`",
        "with the program",
        "`peeps run`",
    ),
)
_lock = threading.Lock()
_process: ReportedProcess | None = None


class ReportedParts:
    """Of one process. A forked child has others."""

    watchdog = None
    providers = None

    def __init__(self, config: Config, patches: Patches, inherited: Inherited | None) -> None:
        self.outlet = Report(config, lambda: self.watcher)
        self._looking = Looking(config, patches, self.outlet, ProbeContext(inherited))
        self._looking.join_within()
        self.probes, self.watcher, self.leaks = self._looking.probes, self._looking.watcher, self._looking.leaks

    def thread_holds(self) -> list[ThreadHold]:
        """The plain locks that threads were seen to have at the last look. From the fork hook."""
        return self._looking.thread_holds()


class ReportedProcess(WatchedProcess[ReportedParts]):
    """Use `start` and `stop`."""

    def __init__(self, config: Config) -> None:
        patches = Patches(config)
        super().__init__(config, patches, lambda inherited: ReportedParts(config, patches, inherited))


def start(environment: Mapping[str, str] = os.environ) -> str:
    """Begins to watch this process, once, for what `PEEPS_REPORT` and `PEEPS_DUMP_SIGNAL` say. Returns what is wrong,
    in words for its standard error; empty where nothing is. Never raises."""
    global _process
    with _lock:
        if _process is not None or not is_main() or is_helper_process(sys.orig_argv):
            return ""
        config = read(environment)
        if not config.enabled or not config.reports:
            return ""
        if is_free_threaded():
            return "a free-threaded build of Python is not supported: this process is not watched"
        try:
            process = ReportedProcess(config)
            process.start()
        except Exception as error:
            return f"could not start; the program is not affected: {type(error).__name__}: {error}"
        _process = process
        return "; ".join(config.problems)


def stop() -> None:
    """Leaves every function of the standard library as it was."""
    global _process
    with _lock:
        process, _process = _process, None
    if process is not None:
        atexit.unregister(process.stop)
        process.stop()


def running() -> ReportedProcess | None:
    return _process
