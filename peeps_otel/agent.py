# SPDX-License-Identifier: Apache-2.0
"""The agent of a process, from its start to its end and through forks. One per process, whoever asks first."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import PurePath
from weakref import WeakMethod

from . import native
from .config import Config, read
from .export import otel_names
from .interpreter_internals import FREE_THREADED, is_free_threaded
from .model.change import Change
from .parts import Lasting, Parts
from .probes import runtime
from .probes.inherited import Inherited
from .watcher.leak_check import LeakCheck
from .watcher.thread import THREAD_NAME, Watcher

CHANGES = (
    Change(
        "`atexit`",
        "a function that stops everything of ours",
        "at the start",
        "unregistered by `peeps_otel.agent.stop`",
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
_lock = threading.Lock()
_agent: Agent | None = None


class Agent:
    """A watched process. Use `start` and `stop`.

    A forked child builds all parts anew. The fork hook does as little as it can: it runs on the program's thread, and
    whatever lock another thread of the parent had is locked for good. The rest is done on the child's watcher thread,
    which is also where the parent's parts are let go of.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._lasting = Lasting(config)
        self._parts: Parts | None = Parts(config, self._lasting)
        self._built = native.Event()
        self._built.set()
        self._running = False
        self._stopped = False
        self._pid = os.getpid()
        self._threads_at_fork: dict[int, str] = {}

    @property
    def parts(self) -> Parts:
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
        if self._running:
            self._threads_at_fork = Inherited.threads_now()

    def _after_fork_in_parent(self) -> None:
        self._threads_at_fork = {}

    def _after_fork_in_child(self) -> None:
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

    def _run_in_child(
        self, thread: native.Thread, inherited: Inherited, outside: bool, keep: list[Parts | None]
    ) -> None:
        keep.clear()
        try:
            parts = Parts(self.config, self._lasting, inherited)
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


def start(environment: Mapping[str, str] = os.environ) -> Agent | None:
    """Starts the agent of this process, once. None where it must not run: switched off, a helper process, no SDK.

    Never raises; what is wrong is logged once.
    """
    global _agent
    with _lock:
        if _agent is not None:
            return _agent
        try:
            config = read(environment)
            if not config.enabled or otel_names.sdk_disabled() or is_helper_process(sys.orig_argv):
                return None
            if is_free_threaded():
                _warn_once(FREE_THREADED)
                return None
            for problem in config.problems:
                _logger.warning("peeps: %s", problem)
            if otel_names.logger_provider() is None and otel_names.tracer_provider() is None:
                _warn_once(
                    "peeps: no OpenTelemetry SDK is set up in this process, so there is nowhere to report to; "
                    "run it under opentelemetry-instrument with a distro, or call peeps_otel.init()"
                )
                return None
            agent = Agent(config)
            agent.start()
            _agent = agent
        except Exception:
            _logger.warning("peeps: could not start; the program is not affected", exc_info=True)
    return _agent


@cache
def _warn_once(message: str) -> None:
    _logger.warning(message)


def stop() -> None:
    """Stops the agent and leaves every function of the standard library as it was."""
    global _agent
    with _lock:
        agent, _agent = _agent, None
    if agent is not None:
        atexit.unregister(agent.stop)
        agent.stop()


def running() -> Agent | None:
    return _agent


def is_helper_process(arguments: list[str]) -> bool:
    """Whether these are the arguments of a process that runs no code of the program: one of multiprocessing's own, or
    the launcher of OpenTelemetry, which becomes the program by `exec` and would seem to have fallen silent."""
    if any(PurePath(argument).stem == _LAUNCHER for argument in arguments[:2]):
        return True
    return any(helper in argument for argument in arguments for helper in _HELPERS)
