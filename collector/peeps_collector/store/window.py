# SPDX-License-Identifier: Apache-2.0
"""Which part of the history a chart is about."""

from __future__ import annotations

from typing import Any, NamedTuple

_FOR_EVER = (1 << 63) - 1

SEEN = """seen AS (
  SELECT process, max(time_ns) AS last_ns FROM snapshot
  WHERE time_ns <= $2 AND (len($3) = 0 OR list_contains($3, process)) GROUP BY process)"""
"""The last look at each process, for statements with the parameters of `Window.given`."""


class Window(NamedTuple):
    """From `since_ns` to `until_ns`, Unix epoch. `is_past`: it ends at an earlier moment, not now. `processes`: only
    these, all where it is empty."""

    since_ns: int
    until_ns: int
    is_past: bool = False
    processes: tuple[str, ...] = ()

    @property
    def newest_ns(self) -> int:
        """What is newer is not looked at. Of a window that ends now everything is, for clocks of processes differ."""
        return self.until_ns if self.is_past else _FOR_EVER

    @property
    def given(self) -> list[Any]:
        """What a statement is given as `$1`, `$2` and `$3`: since when, until when, and the processes."""
        return [self.since_ns, self.newest_ns, list(self.processes)]
