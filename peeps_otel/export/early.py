# SPDX-License-Identifier: Apache-2.0
"""Whether it is too early to tell anything of this process: of one that ends at once nobody is told, for what telling
takes (the exporters, with all of protobuf) is more than all the rest of our start.

The time counts from where the program's own code begins. `opentelemetry-instrument` starts us in `sitecustomize`, and
what it does after that (all other instrumentations) takes a second where there are many, or the machine is busy.
"""

from __future__ import annotations

import os
import sys
import time

from ..probes.runtime import is_starting

_START_MOST_S = 10.0


class Beginning:
    """When the program's own code began, as far as it was seen: nobody looks unless somebody asks. Any thread."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._first = self._last_s = time.monotonic()
        self._ended_s: float | None = None
        self._starting = is_starting()

    def end(self) -> None:
        """The program ends: what we still do then is no part of how long it lasted."""
        self._ended_s = time.monotonic()

    def go_on(self) -> None:
        """It did not, we were only stopped."""
        self._ended_s = None

    def within(self, seconds: float) -> bool:
        """Whether it began less than so long ago, or has not yet: for ten seconds at most, for a start may get stuck,
        too. False once the exporters are loaded, and in a forked child, whose program has begun long ago."""
        now = self._ended_s or time.monotonic()
        if f"{__package__}.otlp_http" in sys.modules or os.getpid() != self._pid:
            return False
        if self._starting:  # by the last time, so it began after that
            self._last_s = now
            self._starting = now - self._first < _START_MOST_S and is_starting()
        return now - self._last_s < seconds


beginning = Beginning()
