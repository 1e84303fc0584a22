# SPDX-License-Identifier: Apache-2.0
"""A watched process, from its start to its end and through forks, whatever it is watched with.

After a fork: `parts.py` and `looking.py` are built anew round what is kept, `probes/inherited.py` says what is the
parent's, `probes/internals/thread.py` which thread has gone on, `watchdog/guard.py` guards the child too; one part has
a hook of its own, `local/exit_signal.py`. docs/forks.md says what is told of a child.
"""

from __future__ import annotations

import atexit
import logging
import os
from collections.abc import Callable
from pathlib import PurePath
from typing import Generic, Protocol, TypeVar
from weakref import WeakMethod

from . import native
from .config import Config
from .looking import Patches
from .model.change import Change
from .probes import runtime
from .probes.composite import CompositeProbe
from .probes.inherited import Inherited, ThreadHold
from .watcher.leak_check import LeakCheck
from .watcher.thread import THREAD_NAME, Watcher

CHANGES = (
    Change(
        "`atexit`",
        "a function that stops everything of ours",
        "at the start",
        "unregistered when it is stopped",
        "`PEEPS_ENABLED`",
    ),
    Change(
        "`os.register_at_fork`",
        "functions that note who has what before a fork and make everything of ours anew in the child",
        "at the start",
        "it stays (Python has no way back) and does nothing once we have ended",
        "`PEEPS_ENABLED`",
    ),
)

_HELPERS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
_LAUNCHER = "opentelemetry-instrument"
_BUILT_S = 2.0
_logger = logging.getLogger("peeps_otel")


class Outlet(Protocol):
    """Where looks go. `start` before the first, `end` after the last."""

    def start(self) -> None: ...

    def end(self) -> None: ...


class Outside(Protocol):
    """What watches from outside the process. `abandon` in a forked child, from the fork hook: whether it did."""

    def install(self) -> None: ...

    def install_in_child(self) -> None: ...

    def uninstall(self) -> None: ...

    def abandon(self) -> bool: ...


class Providers(Protocol):
    def uninstall(self) -> None: ...


class ProcessParts(Protocol):
    """Everything that knows threads and tasks of one process."""

    @property
    def probes(self) -> CompositeProbe: ...

    @property
    def watcher(self) -> Watcher: ...

    @property
    def leaks(self) -> LeakCheck: ...

    @property
    def outlet(self) -> Outlet: ...

    @property
    def watchdog(self) -> Outside | None: ...

    @property
    def providers(self) -> Providers | None: ...

    def thread_holds(self) -> list[ThreadHold]: ...


P = TypeVar("P", bound=ProcessParts)


class WatchedProcess(Generic[P]):
    """Its parts, from its start to its end and through forks. `lasting`: what is in the program for good. `make_parts`:
    called with what was inherited, once here and once in each forked child. `stop` ends it for good; any thread.

    A forked child builds all parts anew. The fork hook does as little as it can: it runs on the program's thread, and
    whatever lock another thread of the parent had is locked for good. The rest is done on the child's watcher thread,
    which is also where the parent's parts are let go of.
    """

    def __init__(self, config: Config, lasting: Patches, make_parts: Callable[[Inherited | None], P]) -> None:
        self.config = config
        self._lasting = lasting
        self._make_parts = make_parts
        self._parts: P | None = make_parts(None)
        self._built = native.Event()
        self._built.set()
        self._running = False
        self._stopped = False
        self._pid = os.getpid()
        self._threads_at_fork: dict[int, str] = {}

    @property
    def parts(self) -> P:
        """Those of this process. In a child that was just forked they come in a moment: RuntimeError if they do not."""
        if self._parts is None:
            self._built.wait(_BUILT_S)
        if self._parts is None:
            raise RuntimeError("this process was forked a moment ago and is not watched yet")
        return self._parts

    @property
    def watcher(self) -> Watcher:
        return self.parts.watcher

    @property
    def leaks(self) -> LeakCheck:
        return self.parts.leaks

    def start(self) -> None:
        parts = self.parts
        if self.config.record:
            parts.probes.install()
            if self._lasting.lock_order is not None:
                self._lasting.lock_order.install()  # around what the probes have rewritten
        elif parts.watchdog is not None:
            parts.watchdog.install()  # rewrites nothing
        parts.outlet.start()
        parts.watcher.start()
        self._running = True
        self._follow_forks()
        # Not `threading._register_atexit`: the exporters of the program itself end in `atexit` too, and atexit runs
        # in reverse order, so ours, registered later, go first.
        atexit.register(self.stop)

    def pause(self) -> None:
        """Nothing is looked at until `resume`; what was rewritten stays so."""
        self._running = False
        self.watcher.stop()

    def resume(self) -> None:
        self._running = True
        self.watcher.start()

    def attention(self) -> None:
        """Somebody is looking: for a quarter of a minute, looks come often. From any thread."""
        if self.watcher.heap is not None:
            self.watcher.heap.request()
        self.watcher.attention()

    def stop(self) -> None:
        self._running, self._stopped = False, True
        parts = self._parts
        if parts is not None:
            parts.watcher.stop()
            parts.outlet.end()
            if parts.providers is not None:
                parts.providers.uninstall()
            if parts.watchdog is not None:
                parts.watchdog.uninstall()
        self._lasting.uninstall()

    # --- forks --------------------------------------------------------------------------------------------------------

    def _follow_forks(self) -> None:
        """A hook cannot be taken back, so it must not keep a stopped agent alive."""

        def hook(method: Callable[[], None]) -> Callable[[], None]:
            reference = WeakMethod(method)

            def run() -> None:
                method = reference()
                if method is not None:
                    method()

            return run

        os.register_at_fork(
            before=hook(self._before_fork),
            after_in_parent=hook(self._after_fork_in_parent),
            after_in_child=hook(self._after_fork_in_child),
        )

    def _before_fork(self) -> None:
        """After the fork, nobody in the child can tell whose thread was whose."""
        native.importing.close()
        if self._running:
            self._threads_at_fork = Inherited.threads_now()

    def _after_fork_in_parent(self) -> None:
        native.importing.reopen()
        self._threads_at_fork = {}

    def _after_fork_in_child(self) -> None:
        native.importing.reopen(in_child=True)
        if self._stopped:
            return
        runtime.forked()
        parent, self._pid = self._pid, os.getpid()
        threads, self._threads_at_fork = self._threads_at_fork, {}
        before, self._parts = self._parts, None
        self._built = native.Event()
        outside = before is not None and before.watchdog is not None and before.watchdog.abandon()
        self._lasting.after_fork_in_child()
        inherited = Inherited(parent, threads, [] if before is None else before.thread_holds())
        keep = [before]  # freed by the thread: of a large program that takes a while
        del before
        try:
            thread = native.Thread(lambda: self._run_in_child(thread, inherited, outside, keep), THREAD_NAME)
            thread.start()
        except RuntimeError:  # no more threads: this child is not watched
            return

    def _run_in_child(self, thread: native.Thread, inherited: Inherited, outside: bool, keep: list[P | None]) -> None:
        keep.clear()
        try:
            parts = self._make_parts(inherited)
            self._parts = parts
            parts.outlet.start()
            if outside and parts.watchdog is not None:
                parts.watchdog.install_in_child()
        except Exception:
            _logger.warning("peeps: could not start in a forked child; the program is not affected", exc_info=True)
            return
        finally:
            self._built.set()
        if self._running:
            parts.watcher.run(thread)


def is_helper_process(arguments: list[str]) -> bool:
    """Whether these are the arguments of a process that runs no code of the program: one of multiprocessing's own, or
    the launcher of OpenTelemetry, which becomes the program by `exec` and would seem to have fallen silent."""
    if any(PurePath(argument).stem == _LAUNCHER for argument in arguments[:2]):
        return True
    return any(helper in argument for argument in arguments for helper in _HELPERS)
