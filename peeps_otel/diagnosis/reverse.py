# SPDX-License-Identifier: Apache-2.0
"""The other way round of an index: by target, who names it."""

from __future__ import annotations


class Reverse:
    """By target: who names it, and how often where that is not once by one alone."""

    __slots__ = ("by",)

    def __init__(self) -> None:
        self.by: dict[str, tuple[str] | dict[str, int]] = {}

    def replace(self, source: str, before: tuple[str, ...], after: tuple[str, ...]) -> set[str]:
        """Whom `source` names now, and named before. Returns those for whom that makes a difference."""
        if before == after:
            return set()
        for target in before:
            self._less(target, source)
        for target in after:
            self._more(target, source)
        return {*before, *after}

    def _less(self, target: str, source: str) -> None:
        sources = self.by[target]
        if isinstance(sources, tuple):
            del self.by[target]
            return
        sources[source] -= 1
        if not sources[source]:
            del sources[source]
        if len(sources) == 1 and 1 in sources.values():
            self.by[target] = (next(iter(sources)),)

    def _more(self, target: str, source: str) -> None:
        sources = self.by.get(target)
        if sources is None:
            self.by[target] = (source,)
            return
        if isinstance(sources, tuple):
            sources = self.by[target] = {sources[0]: 1}
        sources[source] = sources.get(source, 0) + 1
