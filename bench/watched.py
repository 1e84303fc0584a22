# SPDX-License-Identifier: Apache-2.0
"""Whether the process that this runs in is watched, as it should or should not be."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peeps_otel.agent import Agent


def agent() -> Agent | None:
    """The running agent, without importing it where nobody has."""
    return sys.modules["peeps_otel.agent"].running() if "peeps_otel.agent" in sys.modules else None


def require(mode: str) -> None:
    """A comparison of two processes that are alike says nothing."""
    if (agent() is not None) != (mode == "peeps"):
        raise RuntimeError(f"mode {mode}: {'not ' if mode == 'peeps' else ''}watched")
