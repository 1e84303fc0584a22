# SPDX-License-Identifier: Apache-2.0
"""huey: who waits for the result of a task. It looks round for it again and again, or asks Redis to be told."""

from __future__ import annotations

import sys

from ..internals import versions
from ..library import Support, ThreadWait, operation

_MODULE = "huey.api"


class Huey:
    """A `Library`."""

    name = "huey"
    distribution = "huey"
    checked = versions.HUEY

    def is_imported(self) -> bool:
        """One of its last classes: the module has been read to its end."""
        return "ResultGroup" in vars(sys.modules.get(_MODULE, sys))

    def support(self) -> Support:
        return Support(thread_waits=(ThreadWait(_MODULE, "Result.get_raw_result", operation("job.result")),))


HUEY = Huey()
