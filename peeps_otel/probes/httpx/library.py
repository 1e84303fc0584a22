# SPDX-License-Identifier: Apache-2.0
"""A response of httpx has a connection of httpcore's until its body has been read or it is closed."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from ..httpcore.library import lent_by_stream
from ..internals import versions
from ..library import Lent, PoolHandle, Support, attribute

_MODELS, _TRANSPORTS = "httpx._models", "httpx._transports.default"
_WRAPPERS = ("_stream", "_httpcore_stream")


class Httpx:
    """A `Library`."""

    name = "httpx"
    distribution = "httpx"
    checked = versions.HTTPX

    def is_imported(self) -> bool:
        """The last class of each module: it has been read to its end."""
        ends = ((_MODELS, "Cookies"), (_TRANSPORTS, "AsyncHTTPTransport"))
        return all(last in vars(sys.modules.get(name, sys)) for name, last in ends)

    def support(self) -> Support:
        return Support(pool_handles=(PoolHandle(sys.modules[_MODELS].Response, _of_response),))


def _of_response(response: Any) -> Iterable[Lent]:
    """Its body is one that measures the time, around one that translates errors, around httpcore's."""
    stream = attribute(response, "stream")
    for name in _WRAPPERS:
        stream = attribute(stream, name)
    return lent_by_stream(stream)


HTTPX = Httpx()
