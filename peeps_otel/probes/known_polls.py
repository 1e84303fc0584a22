# SPDX-License-Identifier: Apache-2.0
"""Functions of well-known libraries that wait by looking round, in loops that bytecode alone does not show to be polls:
each turn does some bookkeeping, or the loop is spread over generators."""

from __future__ import annotations

from types import CodeType

from .of_code import OfCode
from .poll_loops import Asks

_KEPT = 1024
_KNOWN: dict[tuple[str, str], Asks] = {
    ("celery/result.py", "AsyncResult.get"): Asks.CODE,
    ("celery/result.py", "ResultSet.join"): Asks.CODE,
    ("celery/result.py", "ResultSet.join_native"): Asks.CODE,
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


class KnownPoll:
    """Of one function. `asks`: None where it is none of these."""

    def __init__(self, code: CodeType) -> None:
        self.code = code
        path = "/" + code.co_filename.replace("\\", "/")
        found = (how for (file, name), how in _KNOWN.items() if name == code.co_qualname and path.endswith(f"/{file}"))
        self.asks = next(found, None)


known_poll = OfCode(KnownPoll, _KEPT)
"""Of a function. For the watcher's thread, and for a copy of the process."""
