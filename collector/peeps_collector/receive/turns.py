# SPDX-License-Identifier: Apache-2.0
"""Who is served next: the senders one after the other, a slice of work each, so that none delays another for long.

The requests of one sender are served in the order they came in.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque

from .request import Request


class Turns:
    """Requests by sender. Thread-safe; `next` and `over` belong to the one thread that serves."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[Request]] = OrderedDict()
        self._closed = False
        self._changed = threading.Condition()

    def put(self, request: Request) -> None:
        with self._changed:
            self._waiting.setdefault(request.sender, deque()).append(request)
            self._changed.notify()

    def next(self) -> Request | None:
        """The first request of the sender whose turn it is; waits for one. It is named again in a later turn, until it
        is `over`. None once closed and empty."""
        with self._changed:
            while not self._waiting:
                if self._closed:
                    return None
                self._changed.wait()
            sender = next(iter(self._waiting))
            self._waiting.move_to_end(sender)
            return self._waiting[sender][0]

    def over(self, request: Request) -> None:
        """`request` has been served in full."""
        with self._changed:
            queue = self._waiting[request.sender]
            queue.popleft()
            if not queue:
                del self._waiting[request.sender]

    def close(self) -> None:
        """No more requests; those already taken in are still handed out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Closes, and hands out nothing more."""
        with self._changed:
            self._waiting.clear()
            self._closed = True
            self._changed.notify_all()
