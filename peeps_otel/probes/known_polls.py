# SPDX-License-Identifier: Apache-2.0
"""Functions of well-known libraries that wait by looking round, in loops that bytecode alone does not show to be polls:
each turn does some bookkeeping, or the loop is spread over generators."""

from __future__ import annotations

from collections.abc import Mapping
from types import CodeType
from typing import TypeVar

from .internals.frame_memory import local_names
from .of_code import OfCode
from .poll import Asks

T = TypeVar("T")
_KEPT = 1024
_KNOWN: dict[tuple[str, str], Asks] = {
    ("celery/result.py", "AsyncResult.get"): Asks.CODE,
    ("celery/result.py", "ResultSet.join"): Asks.CODE,
    ("celery/result.py", "ResultSet.join_native"): Asks.CODE,
    ("fasteners/process_lock.py", "InterProcessLock.acquire"): Asks.CODE,
    ("fasteners/process_lock.py", "InterProcessReaderWriterLock._acquire"): Asks.CODE,
    ("filelock/_api.py", "BaseFileLock.acquire"): Asks.CODE,
    ("filelock/_core/_lock.py", "BaseFileLock.acquire"): Asks.CODE,
    ("filelock/asyncio.py", "BaseAsyncFileLock.acquire"): Asks.CODE,
    ("filelock/_async_lock/_lock.py", "BaseAsyncFileLock.acquire"): Asks.CODE,
    ("portalocker/utils.py", "Lock.acquire"): Asks.CODE,
    ("redis/lock.py", "Lock.acquire"): Asks.CODE,
    ("redis/asyncio/lock.py", "Lock.acquire"): Asks.CODE,
    ("tenacity/__init__.py", "Retrying.__call__"): Asks.AGAIN,
    ("tenacity/asyncio/__init__.py", "AsyncRetrying.__call__"): Asks.AGAIN,
    ("tenacity/_asyncio.py", "AsyncRetrying.__call__"): Asks.AGAIN,
}
"""By the end of the file's name and the function."""
_PATHS: dict[tuple[str, str], str] = {
    ("filelock/_api.py", "BaseFileLock.acquire"): "lock_filename",
    ("filelock/_core/_acquire.py", "LockAcquisition._poll_until_acquired"): "lock_filename",
    ("filelock/asyncio.py", "BaseAsyncFileLock.acquire"): "lock_filename",
    ("filelock/_async_lock/_acquire.py", "AsyncAcquisition._async_poll_until_acquired"): "lock_filename",
}
"""Of those, or of what they call, which local has the path of the file whose lock is tried for."""


class KnownPoll:
    """Of one function. `asks`: None where it is none of these. `path_in`: the place of the local that has the path of
    the file whose lock is tried for; None where it has none."""

    def __init__(self, code: CodeType) -> None:
        self.code = code
        self.asks = _row(_KNOWN, code)
        name = _row(_PATHS, code)
        names = local_names(code)
        self.path_in = names.index(name) if name in names else None


def _row(table: Mapping[tuple[str, str], T], code: CodeType) -> T | None:
    path = "/" + code.co_filename.replace("\\", "/")
    found = (row for (file, name), row in table.items() if name == code.co_qualname and path.endswith(f"/{file}"))
    return next(found, None)


known_poll = OfCode(KnownPoll, _KEPT)
"""Of a function. For the watcher's thread, and for a copy of the process."""
