# SPDX-License-Identifier: Apache-2.0
"""Other tools that watch asyncio or threads, and how each is switched on. None is needed to run the benchmark.

To compare with one more: add a `Peer`. What it imports must be installed for the interpreter of `--peers-python`.
"""

from __future__ import annotations

import importlib
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from .loops import ASYNCIO, UVLOOP
from .operations import OPERATIONS, THREADS

_ASYNC = frozenset(OPERATIONS)
_ALL = _ASYNC | frozenset(THREADS)
_kept: list[object] = []  # for the life of the process


class Peer(NamedTuple):
    """`start` runs before there is an event loop, `on_loop` on it. `distribution`: what must be installed; empty: it is
    in the standard library. `operations`: those it has to do with. `servers`: whether it is for servers as well."""

    distribution: str
    start: Callable[[], object] | None = None
    on_loop: Callable[[], object] | None = None
    environment: Mapping[str, str] = {}
    loops: tuple[str, ...] = (ASYNCIO, UVLOOP)
    operations: frozenset[str] = _ALL
    servers: bool = True


def _module(name: str) -> Any:
    return importlib.import_module(name)


# --- OpenTelemetry's own instrumentations -----------------------------------------------------------------------------


def _otel_sdk() -> None:
    """Spans and metrics as a program has them, and an exporter that throws them away."""
    trace, metrics = _module("opentelemetry.trace"), _module("opentelemetry.metrics")
    sdk, sdk_metrics = _module("opentelemetry.sdk.trace"), _module("opentelemetry.sdk.metrics")
    export, metrics_export = _module("opentelemetry.sdk.trace.export"), _module("opentelemetry.sdk.metrics.export")

    class Nowhere(export.SpanExporter):
        def export(self, spans: object) -> Any:
            return export.SpanExportResult.SUCCESS

    tracers = sdk.TracerProvider()
    tracers.add_span_processor(export.BatchSpanProcessor(Nowhere()))
    trace.set_tracer_provider(tracers)
    metrics.set_meter_provider(sdk_metrics.MeterProvider([metrics_export.InMemoryMetricReader()]))


def _otel_asyncio() -> None:
    _otel_sdk()
    _module("opentelemetry.instrumentation.asyncio").AsyncioInstrumentor().instrument()


def _otel_threading() -> None:
    _otel_sdk()
    _module("opentelemetry.instrumentation.threading").ThreadingInstrumentor().instrument()


# --- monitors of asyncio ----------------------------------------------------------------------------------------------


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _aiomonitor() -> None:
    import asyncio

    ports = {f"{name}_port": _free_port() for name in ("termui", "webui", "console")}
    monitor = _module("aiomonitor").Monitor(asyncio.get_running_loop(), hook_task_factory=True, **ports)
    monitor.start()
    _kept.append(monitor)


async def _pyleak() -> None:
    watch = _module("pyleak").no_event_loop_blocking(action="log", threshold=0.5)
    await watch.__aenter__()
    _kept.append(watch)


def _aiocop() -> None:
    aiocop = _module("aiocop")

    def ignore(_event: object) -> None:
        return

    aiocop.patch_audit_functions()
    aiocop.start_blocking_io_detection(trace_depth=20)
    aiocop.detect_slow_tasks(threshold_ms=500, on_slow_task=ignore)
    aiocop.activate()


def _aiodebug() -> None:
    _module("aiodebug.log_slow_callbacks").enable(0.5)


def _sentry() -> None:
    """With an open transaction, so that it makes a span for each task."""
    sentry, transport = _module("sentry_sdk"), _module("sentry_sdk.transport")

    class Nowhere(transport.Transport):
        def capture_envelope(self, envelope: object) -> None:
            return

    integration = _module("sentry_sdk.integrations.asyncio").AsyncioIntegration()
    sentry.init(
        "http://k@127.0.0.1:9/1",
        transport=Nowhere,
        traces_sample_rate=1.0,
        integrations=[integration],
        auto_session_tracking=False,
    )
    transaction = sentry.start_transaction(name="bench")
    transaction.__enter__()
    _kept.append(transaction)


# --- profilers and blocking-call detectors ----------------------------------------------------------------------------


def _ddtrace() -> None:
    profiler = _module("ddtrace.profiling").Profiler()
    profiler.start()
    _kept.append(profiler)


def _blockbuster() -> None:
    blockbuster = _module("blockbuster").BlockBuster()
    blockbuster.activate()
    _kept.append(blockbuster)


def _yappi() -> None:
    yappi = _module("yappi")
    yappi.set_clock_type("wall")
    yappi.start()


# --- the usual way of tracking: wrappers ------------------------------------------------------------------------------


def _wrappers() -> None:
    """What a careful tracker pays that wraps the primitives with `wrapt` and does nothing but note owner and time."""
    import asyncio
    import time

    wrapt = _module("wrapt")
    noted: dict[int, tuple[object, int]] = {}

    async def acquire(wrapped: Any, instance: object, args: Any, kwargs: Any) -> object:
        result = await wrapped(*args, **kwargs)
        noted[id(instance)] = (asyncio.current_task(), time.monotonic_ns())
        return result

    def release(wrapped: Any, instance: object, args: Any, kwargs: Any) -> object:
        noted.pop(id(instance), None)
        return wrapped(*args, **kwargs)

    def forget(ended: object) -> None:
        noted.pop(id(ended), None)

    def create(wrapped: Any, _instance: object, args: Any, kwargs: Any) -> object:
        task = wrapped(*args, **kwargs)
        noted[id(task)] = (asyncio.current_task(), time.monotonic_ns())
        task.add_done_callback(forget)
        return task

    for name in ("Lock", "Semaphore"):
        wrapt.wrap_function_wrapper("asyncio", f"{name}.acquire", acquire)
        wrapt.wrap_function_wrapper("asyncio", f"{name}.release", release)
    for name in ("put", "get"):
        wrapt.wrap_function_wrapper("asyncio", f"Queue.{name}", acquire)
    wrapt.wrap_function_wrapper("asyncio", "create_task", create)


_DATADOG = {
    "DD_TRACE_ENABLED": "false",
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    "DD_REMOTE_CONFIGURATION_ENABLED": "false",
    "DD_CRASHTRACKING_ENABLED": "false",
    "DD_TRACE_AGENT_URL": "http://127.0.0.1:9",
}
_DATADOG_LOCKS = {"DD_PROFILING_STACK_ENABLED": "false", "DD_PROFILING_MEMORY_ENABLED": "false"}
_OTEL_NAMES = {
    "OTEL_PYTHON_ASYNCIO_COROUTINE_NAMES_TO_TRACE": "job",
    "OTEL_PYTHON_ASYNCIO_FUTURE_TRACE_ENABLED": "true",
}
_INSTRUMENTATION = "opentelemetry-instrumentation"

PEERS: dict[str, Peer] = {
    "asyncio debug mode": Peer("", environment={"PYTHONASYNCIODEBUG": "1"}, operations=_ASYNC, servers=False),
    "wrapt wrappers": Peer("wrapt", start=_wrappers, operations=_ASYNC),
    "OTel asyncio, metrics": Peer(f"{_INSTRUMENTATION}-asyncio", start=_otel_asyncio, operations=_ASYNC),
    "OTel asyncio, spans": Peer(
        f"{_INSTRUMENTATION}-asyncio", start=_otel_asyncio, environment=_OTEL_NAMES, operations=_ASYNC, servers=False
    ),
    "OTel threading": Peer(
        f"{_INSTRUMENTATION}-threading", start=_otel_threading, operations=frozenset(THREADS), servers=False
    ),
    "aiomonitor": Peer("aiomonitor", on_loop=_aiomonitor, operations=_ASYNC),
    "pyleak": Peer("pyleak", on_loop=_pyleak, operations=_ASYNC),
    "aiocop": Peer("aiocop", on_loop=_aiocop, operations=_ASYNC),
    "aiodebug": Peer("aiodebug", start=_aiodebug, operations=_ASYNC, loops=(ASYNCIO,)),
    "Sentry asyncio": Peer("sentry-sdk", on_loop=_sentry, operations=_ASYNC),
    "ddtrace profiler": Peer("ddtrace", start=_ddtrace, environment=_DATADOG),
    "ddtrace, locks only": Peer("ddtrace", start=_ddtrace, environment=_DATADOG | _DATADOG_LOCKS),
    "blockbuster": Peer("blockbuster", start=_blockbuster),
    "yappi": Peer("yappi", start=_yappi, servers=False),
}


def start(mode: str) -> None:
    """Before there is an event loop. Does nothing where `mode` is no peer's name."""
    peer = PEERS.get(mode)
    if peer is not None and peer.start is not None:
        peer.start()


async def start_on_loop(mode: str) -> None:
    peer = PEERS.get(mode)
    if peer is not None and peer.on_loop is not None:
        started = peer.on_loop()
        if isinstance(started, Awaitable):
            await started
