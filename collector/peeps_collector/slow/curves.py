# SPDX-License-Identifier: Apache-2.0
"""How full something was, step by step: of each step the most."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Level(NamedTuple):
    """It was `value` from then until then."""

    from_ns: int
    to_ns: int
    value: int


def curve(levels: Iterable[Level], from_ns: int, step_ns: int, steps: int) -> list[int | None]:
    """The highest level of each step; None where there was none."""
    values: list[int | None] = [None] * steps
    for level in levels:
        first = max(level.from_ns - from_ns, 0) // step_ns
        last = min((max(level.to_ns - from_ns, 1) - 1) // step_ns, steps - 1)
        for step in range(first, last + 1):
            before = values[step]
            values[step] = level.value if before is None else max(before, level.value)
    return values
