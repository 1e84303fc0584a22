# SPDX-License-Identifier: Apache-2.0
"""Waiting for what must happen at some time, on a machine that may be busy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
PATIENCE_S = 60.0
_SELDOM_S = 0.1


def eventually(check: Callable[[], T | None], what: str = "", seconds: float = PATIENCE_S, every: float = 0.02) -> T:
    """The first true value of `check`, which is asked again and again, after a while less often: what is asked costs
    time that what is waited for needs. AssertionError after `seconds`."""
    end = time.monotonic() + seconds
    while not (value := check()):
        assert time.monotonic() < end, f"did not happen within {seconds:.0f} s: {what or check}"
        time.sleep(every)
        every = max(every, min(every * 1.25, _SELDOM_S))
    return value


async def forever() -> Any:
    """Waits for what nobody will ever do, until it is cancelled."""
    await asyncio.get_running_loop().create_future()
