# SPDX-License-Identifier: Apache-2.0
"""Durations and times as a person says them."""

from __future__ import annotations

from datetime import datetime, tzinfo

_S = 1_000_000_000


def span(ns: int) -> str:
    """A duration with the two largest units that matter: `0.4 s`, `43 s`, `2 min 5 s`, `1 h 3 min`, `2 d 4 h`."""
    seconds = max(0, ns) / _S
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = int(seconds + 0.05)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _two(whole // 60, "min", whole % 60, "s")
    if whole < 86400:
        return _two(whole // 3600, "h", whole % 3600 // 60, "min")
    return _two(whole // 86400, "d", whole % 86400 // 3600, "h")


def clock(ns: int, zone: tzinfo | None = None) -> str:
    """The wall-clock time of an instant, in the viewer's zone where it is known."""
    return datetime.fromtimestamp(ns / _S, zone).strftime("%H:%M:%S")


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit} {small} {small_unit}" if small else f"{large} {large_unit}"
