# SPDX-License-Identifier: Apache-2.0
"""How late event loops were: the metric that processes send of it."""

from __future__ import annotations

from peeps_otel import semconv

from ..slow.heat import Point
from .reader import Reader
from .window import Window

_ROWS = 300_000
_BYTES = 64 << 20
_SECONDS = 20.0

_LAGS = f"""
SELECT time_ns, CAST(value * 1e9 AS BIGINT), coalesce(service, ''), attributes->>'$."{semconv.THREAD_NAME}"'
FROM metric WHERE name = '{semconv.METRIC_LOOP_LAG}' AND time_ns > $1 AND time_ns <= $2 AND value > 0
  AND (len($3) = 0 OR list_contains($3, process))
"""


def lags_in(reader: Reader, window: Window) -> list[Point]:
    """The longest of each interval of the metric, of each loop. Raises StatementFailed."""
    rows = reader.rows(_LAGS, window.given, _ROWS, _BYTES, _SECONDS)
    return [
        Point(time_ns, ns, " ".join(filter(None, (thread, "of", service)))) for time_ns, ns, service, thread in rows
    ]
