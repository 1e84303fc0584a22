# SPDX-License-Identifier: Apache-2.0
"""The event loops by name."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
from collections.abc import Callable

ASYNCIO, UVLOOP = "asyncio", "uvloop"


def loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """`fastest` is uvloop where it is installed."""
    if name == "fastest":
        name = UVLOOP if importlib.util.find_spec(UVLOOP) else ASYNCIO
    return importlib.import_module(name).new_event_loop
