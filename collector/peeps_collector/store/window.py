# SPDX-License-Identifier: Apache-2.0
"""Which part of the history a chart is about."""

from __future__ import annotations

from typing import NamedTuple

_FOR_EVER = (1 << 63) - 1


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
