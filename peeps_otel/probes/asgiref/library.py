# SPDX-License-Identifier: Apache-2.0
"""asgiref: a thread that waits in `async_to_sync` for a coroutine, and meanwhile runs what is sent back to it.

Its own executor wakes it by a condition; what it waits for is the coroutine's result.
"""

from __future__ import annotations

import sys

from ...model.operations import operation
from ..internals import versions
from ..library import Support, ThreadWait

_EXECUTOR = "asgiref.current_thread_executor"


class Asgiref:
    """A `Library`."""

    name = "asgiref"
    distribution = "asgiref"
    checked = versions.ASGIREF

    def is_imported(self) -> bool:
        return "asgiref.sync" in sys.modules and _EXECUTOR in sys.modules

    def support(self) -> Support:
        row = ThreadWait(_EXECUTOR, "CurrentThreadExecutor.run_until_future", operation("future.result"), "future")
        return Support(
            thread_waits=(row,),
            thread_modules=("asgiref.sync",),
            hands_over=((_EXECUTOR, "_WorkItem.run"), ("asgiref.sync", "SyncToAsync.thread_handler")),
        )


ASGIREF = Asgiref()
