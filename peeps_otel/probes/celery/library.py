# SPDX-License-Identifier: Apache-2.0
"""Celery: who waits for the result of a task. It looks round for it once a second, by way of its backend."""

from __future__ import annotations

import sys

from ..internals import versions
from ..library import Support, ThreadWait, operation

_MODULE = "celery.result"
_RESULT = operation("job.result")
_WAITS = ("AsyncResult.get", "ResultSet.join", "ResultSet.join_native")


class Celery:
    """A `Library`."""

    name = "celery"
    distribution = "celery"
    checked = versions.CELERY

    def is_imported(self) -> bool:
        """Its last class: the module has been read to its end."""
        return "EagerResult" in vars(sys.modules.get(_MODULE, sys))

    def support(self) -> Support:
        return Support(thread_waits=tuple(ThreadWait(_MODULE, name, _RESULT) for name in _WAITS))


CELERY = Celery()
