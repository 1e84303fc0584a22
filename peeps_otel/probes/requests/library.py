# SPDX-License-Identifier: Apache-2.0
"""A response of requests has a connection of urllib3's until it has been read or closed."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from ..internals import versions
from ..library import Lent, PoolHandle, Support, attribute
from ..urllib3.library import lent_by_response

_MODELS = "requests.models"


class Requests:
    """A `Library`."""

    name = "requests"
    distribution = "requests"
    checked = versions.REQUESTS

    def is_imported(self) -> bool:
        """Its last class: the module has been read to its end."""
        return "Response" in vars(sys.modules.get(_MODELS, sys))

    def support(self) -> Support:
        return Support(pool_handles=(PoolHandle(sys.modules[_MODELS].Response, _of_response),))


def _of_response(response: object) -> Iterator[Lent]:
    return lent_by_response(attribute(response, "raw"))


REQUESTS = Requests()
