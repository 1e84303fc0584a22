# SPDX-License-Identifier: Apache-2.0
"""What a peer answers: functions by the ids of their methods."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from .methods import Method

Handler = Callable[..., Awaitable[Any]]
HandlerType = TypeVar("HandlerType", bound=Handler)


class Service:
    """May be filled while links use it. One thread.

    A handler is `async def handler(context, *arguments)`, with a `Context`. For an `Rx` argument it gets a `Receiver`,
    for a `Tx` one a `Sender`. It raises `UserError` for the method's own error; any other exception is logged here, and
    the caller is told that the call was cancelled, for Roam has no other word.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name
        self._handlers: dict[int, tuple[Method, Handler]] = {}

    def handler(self, method: Method) -> Callable[[HandlerType], HandlerType]:
        """A decorator. Raises ValueError for a second handler of the same id."""

        def add(function: HandlerType) -> HandlerType:
            self.add(method, function)
            return function

        return add

    def add(self, method: Method, handler: Handler) -> None:
        if method.id in self._handlers:
            raise ValueError(f"{method.service}.{method.name} has a handler")
        self._handlers[method.id] = (method, handler)

    def find(self, method_id: int) -> tuple[Method, Handler] | None:
        return self._handlers.get(method_id)
