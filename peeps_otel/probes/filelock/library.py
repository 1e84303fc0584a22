# SPDX-License-Identifier: Apache-2.0
"""filelock: who waits for a lock on a file, and who has it. It is tried again and again."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from gc import get_referents
from typing import Any, cast

from ..internals import versions
from ..library import Support, ThreadWait, attribute
from ..named_locks import LOCKS, NAMED_LOCK, POLL

_API = "filelock._api"
_CORE, _ACQUIRE = "filelock._core._lock", "filelock._core._acquire"
_PATH = "lock_file"


class Filelock:
    """A `Library`. Its inner modules are others since 3.26."""

    name = "filelock"
    distribution = "filelock"
    checked = versions.FILELOCK

    def is_imported(self) -> bool:
        return "__version__" in vars(sys.modules.get("filelock", sys)) and lock_class() is not None

    def support(self) -> Support:
        kind = lock_class()
        if kind is None:
            raise AttributeError("BaseFileLock")
        return Support(
            thread_waits=(
                ThreadWait(_API, "BaseFileLock.acquire", POLL, finds="self", call="start_time"),
                ThreadWait(
                    _ACQUIRE,
                    "LockAcquisition._poll_until_acquired",
                    POLL,
                    finds="self",
                    seconds_left=_seconds_left,
                    seconds_left_of="wait",
                    call="wait",
                ),
            ),
            resource_types=(NAMED_LOCK,),
            thread_managers=(kind,),
            held_by_manager=named,
        )


def lock_class() -> type[Any] | None:
    for module in (_CORE, _API):
        found = vars(sys.modules.get(module, sys)).get("BaseFileLock")
        if isinstance(found, type):
            return found
    return None


def named(lock: Any) -> object | None:
    """The lock of the file: one for all objects by which it is taken. By its path as it is written: the file system is
    not asked."""
    for path in _paths(attribute(lock, "_context")):
        if type(path) is str:
            whole = os.path.abspath(path)
            return LOCKS.of(("file", whole), os.path.basename(whole), "filelock.FileLock")
    return None


def _paths(context: object) -> Iterator[object]:
    """What is kept for each thread apart keeps what it was made with."""
    yield attribute(context, _PATH)
    for made_with in get_referents(context):
        if type(made_with) is dict:
            yield cast("dict[object, object]", made_with).get(_PATH)


def _seconds_left(wait: Any) -> float | None:
    """Of one try: it says for how long it may last, less than 0 for ever, and when it began."""
    if not issubclass(cast("type[object]", type(wait)), tuple):
        return 0.0
    seconds, began = cast("tuple[object, object]", (wait.timeout, wait.start_time))  # of a named tuple of its own
    if type(began) is not float or (type(seconds) is not int and type(seconds) is not float):
        return 0.0  # when in doubt it gives up
    return None if seconds < 0 else began + float(seconds) - time.perf_counter()


FILELOCK = Filelock()
