# SPDX-License-Identifier: Apache-2.0
"""The text of the lines that a picture is at, read from the program's files when somebody reads the picture."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import Any

from ..probes.source.line_text import LineTexts

Json = dict[str, Any]

_SLACK_NS = 20_000_000  # the kernel counts in ticks, and no Python has read a file that soon


def began_ns() -> int:
    """When this process began, Unix epoch; 0 where the system does not say: then no file counts as unchanged."""
    try:
        with open(f"/proc/{os.getpid()}/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
        age_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return 0
    return time.time_ns() - age_ns + _SLACK_NS


_BEGAN_NS = began_ns()  # of the process that loaded this; a forked child runs the files of its parent


class PictureTexts:
    """`report.shown.Texts` of one process, whatever it is called. On one thread."""

    def __init__(self) -> None:
        self._texts = LineTexts(_BEGAN_NS)
        self._known: dict[str, Json | None] = {}

    def of(self, processes: Iterable[str], places: Iterable[str]) -> dict[str, Json]:
        """By place; what is not the program's own, or cannot be read, is not in it."""
        del processes
        return {place: text for place in places if (text := self._around(place)) is not None}

    def line(self, process: str, place: str) -> str:
        """The text of one line without its indentation; empty where it is not known."""
        del process
        text = self._around(place)
        return "" if text is None else text["lines"][int(place.rpartition(":")[2]) - text["first"]].strip()

    def _around(self, place: str) -> Json | None:
        if place not in self._known:
            file, _, line = place.rpartition(":")
            found = self._texts.around(file, int(line)) if line.isdecimal() else None
            self._known[place] = None if found is None else {"first": found.first, "lines": list(found.lines)}
        return self._known[place]
