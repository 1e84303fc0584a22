# SPDX-License-Identifier: Apache-2.0
"""Times of day for the viewer: his zone is known to the browser alone. Durations are the API's words."""

from __future__ import annotations

from datetime import datetime, tzinfo

_S = 1_000_000_000


def clock(ns: int, zone: tzinfo | None = None) -> str:
    """The wall-clock time of an instant, in the viewer's zone where it is known."""
    return datetime.fromtimestamp(ns / _S, zone).strftime("%H:%M:%S")


def span(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 5 min`: of what the API has no words for."""
    whole = int(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes = whole // 60
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def amount(ns: int) -> str:
    """`300 µs`, `40 ms`, `2.5 s`, `12 min`: of a sum of times, or a bound."""
    if ns < 1_000_000:
        return f"{ns / 1_000:.0f} µs"
    if ns < _S:
        return f"{ns / 1_000_000:.0f} ms"
    return f"{ns / _S:.1f} s".replace(".0 s", " s") if ns < 10 * _S else span(ns / _S)
