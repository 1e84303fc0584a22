# SPDX-License-Identifier: Apache-2.0
"""The private names of aiohttp's client: the coroutine of a request, and the timers that end it."""

from __future__ import annotations

import sys
from types import CodeType
from typing import Any, cast

from . import versions
from .asyncio_core import timer_deadline
from .await_chain import SuspendedFrame

CHECKED_ON = versions.on("aiohttp")
_CLIENT, _PROTOCOL = "aiohttp.client", "aiohttp.client_proto"


def imported() -> bool:
    return all(
        hasattr(sys.modules.get(module), name)
        for module, name in ((_CLIENT, "ClientSession"), (_PROTOCOL, "ResponseHandler"))
    )


def request_code() -> CodeType:
    """Of the coroutine that is suspended for as long as a request has no answer."""
    session: Any = vars(sys.modules[_CLIENT])["ClientSession"]
    members = cast("dict[str, object]", vars(session))
    code: object = getattr(members.get("_request"), "__code__", None)
    if type(code) is not CodeType:
        raise AttributeError("aiohttp.client.ClientSession._request")
    return code


def earliest_timer(links: list[SuspendedFrame]) -> float | None:
    """The loop time of the first timer that ends a request: its total, and that between two reads of its connection."""
    handler: Any = vars(sys.modules[_PROTOCOL])["ResponseHandler"]
    found: list[float | None] = []
    for link in links:
        for referent in link.referents:
            found.append(timer_deadline(referent))
            if type(referent) is handler:
                found.append(timer_deadline(_read_timer(referent)))
    return min((one for one in found if one is not None), default=None)


def _read_timer(protocol: object) -> object:
    try:
        return object.__getattribute__(protocol, "_read_timeout_handle")
    except AttributeError:
        return None
