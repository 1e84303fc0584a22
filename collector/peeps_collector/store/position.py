# SPDX-License-Identifier: Apache-2.0
"""Which requests of the journal are in the database: committed with their rows, so that none is stored twice."""

from __future__ import annotations

from collections.abc import Iterable

import orjson


class Position:
    """All numbers up to `low`, and some above it. Not thread-safe."""

    def __init__(self, low: int = 0, above: Iterable[int] = ()) -> None:
        self.low = low
        self._above = set(above)

    def __contains__(self, number: int) -> bool:
        return number <= self.low or number in self._above

    @property
    def highest(self) -> int:
        return max(self._above, default=self.low)

    def with_more(self, numbers: Iterable[int]) -> Position:
        low, above = self.low, self._above.union(numbers)
        while low + 1 in above:
            low += 1
            above.discard(low)
        return Position(low, above)

    def reached(self, low: int) -> Position:
        """Numbers up to `low` will not come any more, whatever became of them."""
        return Position(max(low, self.low), [n for n in self._above if n > low]).with_more(())

    def text(self) -> str:
        return orjson.dumps({"low": self.low, "above": sorted(self._above)}).decode()

    @classmethod
    def of(cls, text: str) -> Position:
        found = orjson.loads(text)
        return cls(found["low"], found["above"])
