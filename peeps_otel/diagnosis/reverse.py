# SPDX-License-Identifier: Apache-2.0
"""The other way round of an index: by target, who names it."""

from __future__ import annotations

_FEW = 4  # of so many a tuple takes a quarter of what a dictionary takes


class Reverse:
    """By target: who names it; where those are many, or one of them does so more than once, how often."""

    __slots__ = ("by",)

    def __init__(self) -> None:
        self.by: dict[str, tuple[str, ...] | dict[str, int]] = {}

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
            if len(sources) == 1:
                del self.by[target]
            else:
                self.by[target] = tuple([one for one in sources if one != source])
            return
        sources[source] -= 1
        if not sources[source]:
            del sources[source]
        if len(sources) <= _FEW and all(times == 1 for times in sources.values()):
            self.by[target] = tuple(sources)

    def _more(self, target: str, source: str) -> None:
        sources = self.by.get(target)
        if sources is None:
            self.by[target] = (source,)
            return
        if isinstance(sources, tuple):
            if len(sources) < _FEW and source not in sources:
                self.by[target] = (*sources, source)
                return
            sources = self.by[target] = dict.fromkeys(sources, 1)
        sources[source] = sources.get(source, 0) + 1
