# SPDX-License-Identifier: Apache-2.0
"""Dramatiq: who waits for the result of a message. It looks round for it again and again, or asks Redis to be told."""

from __future__ import annotations

import sys

from ..internals import versions
from ..library import Support, ThreadWait, operation

_MODULE = "dramatiq.results.backend"
_RESULT = operation("job.result")


class Dramatiq:
    """A `Library`. Its backends count timeouts in milliseconds; where one looks round, it has until when in seconds."""

    name = "dramatiq"
    distribution = "dramatiq"
    checked = versions.DRAMATIQ

    def is_imported(self) -> bool:
        """The only class of the module, at its end."""
        return "ResultBackend" in vars(sys.modules.get(_MODULE, sys))

    def support(self) -> Support:
        return Support(
            thread_waits=(
                ThreadWait(_MODULE, "ResultBackend.get_result", _RESULT),
                ThreadWait("dramatiq.results.backends.redis", "RedisBackend.get_result", _RESULT),
            )
        )


DRAMATIQ = Dramatiq()
