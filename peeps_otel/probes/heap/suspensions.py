# SPDX-License-Identifier: Apache-2.0
"""Where tasks are suspended and what they have entered, read once for all who ask about one picture of the heap."""

from __future__ import annotations

from ..internals.await_chain import Entered, SuspendedFrame, chain, entered


class Suspensions:
    """Holds objects of the program while it lives: for a heap that stands still."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[list[SuspendedFrame], list[Entered]]] = {}

    def of(self, coroutine: object) -> tuple[list[SuspendedFrame], list[Entered]]:
        """The suspended frames below a coroutine, outermost first, and the context managers along them."""
        found = self._known.get(id(coroutine))
        if found is None:
            links = chain(coroutine)
            found = self._known[id(coroutine)] = links, entered(links)
        return found
