# SPDX-License-Identifier: Apache-2.0
"""The functions a thread is in, while it is being looked at."""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType, FrameType

from ...model import Frame, own_line
from ..internals.frame_memory import FrameReader
from ..source import own_code

_DEPTH = 128


class CallStack:
    """One thread's frames, innermost first. Frames are read when they are first asked for.

    It keeps the frames, and so what the thread has in hand: `clear` it at once when it has been looked at.
    """

    __slots__ = ("_clock", "_cpu_ns", "_readers", "codes", "frames")

    def __init__(self, frame: FrameType | None, clock: Iterator[int] | None, cpu_ns: int | None) -> None:
        """`clock`, `cpu_ns`: as of `FrameReader`."""
        self._clock, self._cpu_ns = clock, cpu_ns
        self.frames: list[FrameType] = []
        while frame is not None and len(self.frames) < _DEPTH:
            self.frames.append(frame)
            frame = frame.f_back
        self.codes: list[CodeType] = [one.f_code for one in self.frames]
        self._readers: dict[int, FrameReader] = {}

    def __len__(self) -> int:
        return len(self.codes)

    def reader(self, number: int) -> FrameReader:
        """Of the frame with this number."""
        known = self._readers.get(number)
        if known is None:
            known = self._readers[number] = FrameReader(self.frames[number], self._clock, self._cpu_ns)
        return known

    def named(self, with_lines: bool) -> tuple[Frame, ...]:
        """As a stack, outermost first."""
        return tuple(
            [
                own_code.frame(code, frame.f_lineno if with_lines else None)
                if not _is_made_by_exec(frame, code)
                else Frame(code.co_qualname, code.co_filename, None, own_line.PYTHON)
                for frame, code in zip(reversed(self.frames), reversed(self.codes), strict=True)
            ]
        )

    def is_own(self, number: int) -> bool:
        """Whether it is the program's own code, which somebody has written at some line."""
        code = self.codes[number]
        return own_code.is_own(code.co_filename) and not _is_made_by_exec(self.frames[number], code)

    def clear(self) -> None:
        """Lets go of the frames."""
        self.frames.clear()
        self._readers.clear()


def _is_made_by_exec(frame: FrameType, code: CodeType) -> bool:
    """Code that belongs to no module, as the methods of proxies of `multiprocessing.managers`."""
    return code.co_filename == "<string>" and "__name__" not in frame.f_globals
