# SPDX-License-Identifier: Apache-2.0
"""Waiting for what must happen at some time, on a machine that may be busy."""

from __future__ import annotations

import asyncio
import inspect
import os
import reprlib
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
PATIENCE_S = 60.0
_SELDOM_S = 0.1
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 400
_SHORT.maxdict = _SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxset = 12


def eventually(check: Callable[[], T | None], what: str = "", seconds: float = PATIENCE_S, every: float = 0.02) -> T:
    """The first true value of `check`, which is asked again and again, after a while less often: what is asked costs
    time that what is waited for needs. AssertionError after `seconds`, with what was asked, the last answer and the
    variables that the check reads."""
    end = time.monotonic() + seconds
    while not (value := check()):
        if time.monotonic() > end:
            raise AssertionError(
                f"did not happen within {seconds:.0f} s: {what or _source(check)}{_state(check, value)}"
            )
        time.sleep(every)
        every = max(every, min(every * 1.25, _SELDOM_S))
    return value


def _source(check: Callable[[], Any]) -> str:
    try:
        return inspect.getsource(check).strip()
    except (OSError, TypeError):  # typed in, or of C
        return repr(check)


def _state(check: Callable[[], Any], answer: object) -> str:
    """What a reader of the failure asks first; each value shortened."""
    lines = [f"last answer: {_SHORT.repr(answer)}"]
    if inspect.isfunction(check):
        lines += [f"{name} = {_SHORT.repr(one)}" for name, one in inspect.getclosurevars(check).nonlocals.items()]
    if sys.platform != "win32":
        lines.append("load of the machine: {:.1f} {:.1f} {:.1f}".format(*os.getloadavg()))
    return "".join(f"\n    {line}" for line in lines)


async def forever() -> Any:
    """Waits for what nobody will ever do, until it is cancelled."""
    await asyncio.get_running_loop().create_future()
