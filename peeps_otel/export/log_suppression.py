# SPDX-License-Identifier: Apache-2.0
"""A collector that is not there is no news for the program's own log: it is said once, by us, and not by the exporters
on every attempt.

Nor may an exporter of ours wait for a lock of `logging` or of a handler of the program, who may have it for ever: so it
is told that its messages are not wanted before it takes one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator
from contextlib import contextmanager

from ..model.change import Change

CHANGES = (
    Change(
        "the loggers of the OTLP exporters and of `urllib3.connectionpool`",
        "`isEnabledFor` of their own that says no to a thread while it exports for us, else what it always says",
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


class _Unless:
    """`isEnabledFor` of one logger: the program's own exports keep their voice."""

    def __init__(self, logger: logging.Logger) -> None:
        self._enabled = logger.isEnabledFor

    def __call__(self, level: int) -> bool:
        return not getattr(_here, "quiet", False) and self._enabled(level)


def _change() -> None:
    for name in _LOGGERS:
        logger = logging.Logger.manager.loggerDict.get(name)  # `getLogger` takes the lock
        if isinstance(logger, logging.Logger) and type(logger.isEnabledFor) is not _Unless:
            vars(logger)["isEnabledFor"] = _Unless(logger)


@contextmanager
def quiet() -> Generator[None]:
    """The OTLP exporters log nothing on this thread in here, and take no lock of `logging`. Thread-safe."""
    _change()
    _here.quiet = True
    try:
        yield
    finally:
        _here.quiet = False
