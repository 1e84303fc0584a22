# SPDX-License-Identifier: Apache-2.0
"""uvicorn: the calls that its tasks answer, by either of its parsers of HTTP."""

from __future__ import annotations

import sys
from typing import Any, cast

from ..call_types import CallInHand, CallType, call_in_hand
from ..internals import versions
from ..library import Support, attribute


class UvicornCalls:
    """A `Library`. `parser`: h11 or httptools; the module is loaded when a server of it begins."""

    distribution = "uvicorn"
    checked = versions.UVICORN

    def __init__(self, parser: str) -> None:
        self.name = f"uvicorn.{parser}"
        self._module = f"uvicorn.protocols.http.{parser}_impl"

    def is_imported(self) -> bool:
        cycle = vars(sys.modules.get(self._module, sys)).get("RequestResponseCycle")
        return cycle is not None and "receive" in vars(cycle)

    def support(self) -> Support:
        return Support(call_types=(CallType(sys.modules[self._module].RequestResponseCycle, _read),))


def _read(cycle: Any) -> CallInHand | None:
    scope = attribute(cycle, "scope")
    if type(scope) is not dict or attribute(cycle, "response_complete") is not False:
        return None
    said = cast("dict[str, Any]", scope)
    return call_in_hand(said.get("client"), said.get("server"), said.get("method"), said.get("path"))


UVICORN_CALLS = UvicornCalls("h11"), UvicornCalls("httptools")
