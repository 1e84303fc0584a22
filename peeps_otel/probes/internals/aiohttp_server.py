# SPDX-License-Identifier: Apache-2.0
"""The private names of aiohttp's server: the timer by which a connection is closed that nobody uses."""

from __future__ import annotations

import asyncio
from types import FunctionType, MethodType
from typing import Any, cast

from . import versions
from .asyncio_io import field

CHECKED_ON = versions.on("aiohttp")
_OF_THE_SERVER = "aiohttp.web_protocol"
_CHECK = "RequestHandler._process_keepalive"


def does_nothing(callback: object) -> bool:
    """Whether it is that timer of a connection whose request is being handled: it closes only one that waits for the
    next request."""
    if type(callback) is not MethodType:
        return False
    function: object = callback.__func__
    if type(function) is not FunctionType or (function.__module__, function.__qualname__) != (_OF_THE_SERVER, _CHECK):
        return False
    next_request: object = field(callback.__self__, "_waiter")
    return not issubclass(type(next_request), asyncio.Future) or cast("Any", asyncio.Future).done(next_request)
