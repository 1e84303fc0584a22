# SPDX-License-Identifier: Apache-2.0
"""A collector that is not there is no news for the program's own log: it is said once, by us, and not by the exporters
on every attempt."""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator
from contextlib import contextmanager

from ..model.change import Change

CHANGES = (
    Change(
        "the loggers of the OTLP exporters and of `urllib3.connectionpool`",
        "a filter that drops what a thread logs while it exports for us",
        "at the first export of ours",
        "it stays, and lets everything of the program through",
        "`PEEPS_COLLECTOR_ENDPOINT`",
    ),
)

_LOGGERS = (
    "opentelemetry.exporter.otlp.proto.http._log_exporter",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.common.http",
    "opentelemetry.exporter.otlp.proto.grpc.exporter",
    "urllib3.connectionpool",
)
_here = threading.local()


class _Filter(logging.Filter):
    """Drops what is logged by a thread while it is exporting for us; the program's own exports keep their voice."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not getattr(_here, "quiet", False)


_filter = _Filter()


@contextmanager
def quiet() -> Generator[None]:
    """The OTLP exporters log nothing on this thread in here. Thread-safe."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_filter)  # adding it twice is adding it once
    _here.quiet = True
    try:
        yield
    finally:
        _here.quiet = False
