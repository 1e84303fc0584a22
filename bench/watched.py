# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: SLF001  # it takes an allowance away from outside
"""Whether the process that this runs in is watched, as it should or should not be, and with what allowance."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from peeps_otel.agent import Agent

BEYOND = "BENCH_BEYOND"
"""Set in the environment: the process is as one at full load, beyond the allowance, and nothing waits for long."""


def agent() -> Agent | None:
    """The running agent, without importing it where nobody has."""
    return sys.modules["peeps_otel.agent"].running() if "peeps_otel.agent" in sys.modules else None


def require(mode: str) -> None:
    """A comparison of two processes that are alike says nothing."""
    if (agent() is not None) != (mode == "peeps"):
        raise RuntimeError(f"mode {mode}: {'not ' if mode == 'peeps' else ''}watched")
    if mode == "peeps" and os.environ.get(BEYOND):
        watcher: Any = agent().parts.watcher  # pyright: ignore[reportOptionalMemberAccess]  # asked above
        recorder = watcher._recorder
        recorder.long_wait_ns = 1 << 62
        for allowance in (recorder.tasks, recorder.resources, recorder.holders, recorder.wakers):
            allowance._burst = 0
            del allowance.left[:]
