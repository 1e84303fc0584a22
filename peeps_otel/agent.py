# SPDX-License-Identifier: Apache-2.0
"""Puts the parts together in a process: probe, watcher, exports. One agent per process, whoever asks first."""

from __future__ import annotations

import atexit
import logging
import os
import socket
import sys
import threading
from collections.abc import Mapping
from functools import cache
from weakref import WeakMethod

from . import semconv
from .config import Config, read
from .export import otel_names
from .export.dashboard import add_exporters
from .export.events import Events
from .export.exporters import Exporters
from .export.metrics import Metrics
from .export.request import ATTENTION, LEAKS, Request
from .export.snapshot_exporter import SnapshotExporter
from .export.spans import Spans, current_span_context
from .probes.asyncio.probe import AsyncioProbe
from .probes.composite import CompositeProbe
from .probes.heap.objects import NodeObjects
from .probes.patches.lock_order import LockOrderRecorder
from .probes.patches.loop_errors import LoopErrors
from .probes.patches.recorder import Recorder
from .probes.patches.step_timer import StepTimer
from .probes.source import own_code
from .probes.source.ownership import Ownership
from .probes.threads.probe import ThreadProbe
from .watchdog.announcement import announcement
from .watchdog.guard import Watchdog
from .watcher.heap_question import HeapQuestion
from .watcher.leak_check import LeakCheck
from .watcher.order_rule import OrderRule, read_suppressions
from .watcher.thread import Watcher

_NEVER_NS = 1 << 62
_HELPERS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
_logger = logging.getLogger("peeps_otel")
_lock = threading.Lock()
_agent: Agent | None = None


class Agent:
    """A watched process. Use `start` and `stop`."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._ownership = Ownership(own=config.own, library=config.library)
        own_code.decide_by(self._ownership)
        wait_ns = config.span_wait_ms * 1_000_000 or _NEVER_NS
        self._recorder = Recorder(wait_ns)
        asyncio_probe = AsyncioProbe(self._recorder)
        watched_from_outside = config.dashboard is not None and config.watchdog
        self.watchdog = Watchdog(self._announcement) if watched_from_outside else None
        asyncio_probes = [asyncio_probe, LoopErrors()] if config.probe_asyncio else []
        thread_probe = ThreadProbe() if config.probe_threads else None
        thread_probes = [] if thread_probe is None else [thread_probe]
        exact_steps = [StepTimer()] if config.diagnostics else []
        self.probes = CompositeProbe(
            [*asyncio_probes, *exact_steps, *thread_probes, *([self.watchdog] if self.watchdog else [])]
        )
        self.leaks = LeakCheck(asyncio_probe.node_id, config.leaks_every_s)
        tracers, loggers = otel_names.tracer_provider(), otel_names.logger_provider()
        meters = otel_names.meter_provider()
        if config.dashboard is not None:
            add_exporters(config.dashboard, tracers, loggers, meters, config.metrics)
        if tracers is not None:
            self._recorder.span_context = current_span_context
        spans = None if tracers is None else Spans(tracers, config.span_task_ms * 1_000_000)
        self.outlet = Exporters(
            link=None
            if config.dashboard is None
            else SnapshotExporter(
                config.dashboard, _resource(), self._request_key_frame, config.protocol_trace, self._asked
            ),
            events=None if loggers is None else Events(loggers, config.nodes, config.snapshots),
            spans=spans,
            metrics=None
            if meters is None or not config.metrics
            else Metrics(meters, dict if spans is None else lambda: spans.dropped),
            resource=_resource,
        )
        self.watcher = Watcher(
            self.probes,
            self._recorder,
            self.outlet,
            interval_ns=config.interval_ms * 1_000_000,
            key_frame_ns=config.key_frame_s * 1_000_000_000,
            starved_ns=config.starved_ms * 1_000_000,
            tasks=asyncio_probe,
            sample_ns=1_000_000_000 // config.sample_hz if config.sample_hz else 0,
            cpu_percent=config.cpu_budget_percent,
            bytes_per_s=config.bytes_budget,
            exact_steps=config.diagnostics,
        )
        self._lock_order = LockOrderRecorder() if config.lock_order else None
        recorded = (lambda: ()) if self._lock_order is None else self._lock_order.take
        self.watcher.heap = HeapQuestion(NodeObjects(self.probes, asyncio_probe, thread_probe))
        self.watcher.rules += [self.leaks, OrderRule(read_suppressions(config.suppress), recorded)]

    def start(self) -> None:
        if self.config.record:
            self.probes.install()
            if self._lock_order is not None:
                self._lock_order.install()  # around what the probes have rewritten
        elif self.watchdog is not None:
            self.watchdog.install()  # rewrites nothing
        self.outlet.start()
        self.watcher.start()
        after_fork = WeakMethod(self._after_fork_in_child)

        def in_child() -> None:
            method = after_fork()
            if method is not None:
                method()

        os.register_at_fork(after_in_child=in_child)
        # Not `threading._register_atexit`: the exporters of the program itself end in `atexit` too, and atexit runs
        # in reverse order, so ours, registered later, go first.
        atexit.register(self.stop)

    def pause(self) -> None:
        """Nothing is looked at until `resume`; what was rewritten stays so."""
        self.watcher.stop()

    def resume(self) -> None:
        self.watcher.start()

    def attention(self) -> None:
        """Somebody is looking: for a quarter of a minute, looks come often. From any thread."""
        if self.watcher.heap is not None:
            self.watcher.heap.request()
        self.watcher.attention()

    def stop(self) -> None:
        self.watcher.stop()
        if self._lock_order is not None:
            self._lock_order.uninstall()
        self.probes.uninstall()

    def _request_key_frame(self) -> None:
        self.watcher.request_key_frame()

    def _asked(self, header: str) -> None:
        """The collector has a request; it can only ask for a look."""
        request = Request.parse(header)
        if request is not None and request.kind == ATTENTION:
            self.attention()
        if request is not None and request.kind == LEAKS:
            self.leaks.request(lambda report, findings: self.outlet.answer(request, report, findings))

    def _announcement(self) -> bytes:
        """What the sidecar is told."""
        assert self.config.dashboard is not None
        return announcement(self.config.dashboard, dict(_resource().attributes), self._ownership)

    def _after_fork_in_child(self) -> None:
        self.watcher.after_fork_in_child()


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
    """Whether these are the arguments of one of multiprocessing's own processes, which run no code of the program."""
    return any(helper in argument for argument in arguments for helper in _HELPERS)


def _resource() -> otel_names.Resource:
    """The program's resource, and which process of it this is: most set-ups detect no process attributes."""
    providers = (otel_names.logger_provider(), otel_names.tracer_provider())
    resource = next((p.resource for p in providers if p is not None), otel_names.Resource.get_empty())
    return otel_names.Resource(
        {
            semconv.PROCESS_PID: os.getpid(),
            semconv.PROCESS_RUNTIME_NAME: sys.implementation.name,
            semconv.PROCESS_RUNTIME_VERSION: ".".join(map(str, sys.version_info[:3])),
            semconv.HOST_NAME: socket.gethostname(),
        }
    ).merge(resource)
