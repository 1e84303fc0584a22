# SPDX-License-Identifier: Apache-2.0
"""Counts the bytecode instructions of a thread, by function, from SIGUSR1 to SIGUSR2, after which it tells them."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import Counter
from types import CodeType, FrameType
from typing import Any

from .report_line import tell


class Counting:
    def __init__(self) -> None:
        self._by_code: Counter[CodeType] = Counter()

    def install(self, loop: asyncio.AbstractEventLoop) -> None:
        """In the thread that is to be counted, which runs the loop."""
        loop.add_signal_handler(signal.SIGUSR1, self._begin)
        loop.add_signal_handler(signal.SIGUSR2, self._end)

    def _begin(self) -> None:
        sys.settrace(self._traced)

    def _end(self) -> None:
        sys.settrace(None)
        found: Counter[str] = Counter()
        for code, count in self._by_code.items():
            path = code.co_filename.rpartition("site-packages/")[2]
            found["/".join(path.rsplit("/", 3)[-3:]) + " " + code.co_qualname] += count
        tell(found)

    def _traced(self, frame: FrameType, event: str, _argument: object) -> Any:
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        if event == "opcode":
            self._by_code[frame.f_code] += 1
        return self._traced
