# SPDX-License-Identifier: Apache-2.0
"""The private names of Trio that are looked for."""

from __future__ import annotations

from types import FrameType

from .current_frames import frames_of_all

CHECKED_ON: dict[str, tuple[str, ...]] = {}  # that it runs is all that is asked


def trio_runs() -> bool:
    """Whether a thread is in Trio's own loop. That it was imported says little: httpx does so where it can."""
    for _, innermost in frames_of_all():
        frame: FrameType | None = innermost
        while frame is not None:
            if frame.f_globals.get("__name__") == "trio._core._run":
                return True
            frame = frame.f_back
    return False
