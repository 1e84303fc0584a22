# SPDX-License-Identifier: Apache-2.0
"""The agent of a process. One per process, whoever asks first."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from collections.abc import Mapping
from functools import cache
from typing import Any

from .config import Config, read
from .export import otel_names
from .export.early import beginning
from .interpreter_internals import FREE_THREADED, is_free_threaded
from .parts import Lasting, Parts
from .watched_process import WatchedProcess, is_helper_process

_logger = logging.getLogger("peeps_otel")
_lock = threading.Lock()
_agent: Agent | None = None


class Agent(WatchedProcess[Parts]):
    """A process that is watched with OpenTelemetry. Use `start` and `stop`."""

    def __init__(self, config: Config) -> None:
        lasting = Lasting(config)
        super().__init__(config, lasting, lambda inherited: Parts(config, lasting, inherited))

    def start(self) -> None:
        beginning.go_on()
        super().start()

    def stop(self) -> None:
        beginning.end()
        super().stop()


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
            _end_watching_without_us()
            agent = Agent(config)
            agent.start()
            _agent = agent
        except Exception:
            _logger.warning("peeps: could not start; the program is not affected", exc_info=True)
    return _agent


def _end_watching_without_us() -> None:
    """`peeps run` watches without OpenTelemetry until somebody sets that up; one watcher is enough."""
    module: Any = sys.modules.get("peeps_otel.local.reported_process")
    if module is not None:
        module.stop()


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
