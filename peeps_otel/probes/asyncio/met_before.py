# SPDX-License-Identifier: Apache-2.0
"""Which of very many tasks the look before has met: most often all, in the same order, but for one here and there that
has ended or is new."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import compress, count, repeat
from operator import is_not
from typing import Any, NamedTuple
from weakref import ref

_AT_ONCE = 4000
_NEAR = 64  # after one that differs: the next may not be far
_MISSES_OF = 16  # where one in so many differs, their order has changed

Reference = ref[asyncio.Task[Any]]


class Met(NamedTuple):
    """References, and of each whether nothing is to be asked of it: 1 or 0."""

    references: list[Reference]
    are_met: bytearray


def met_before(references: list[Reference], last: Met, between: Callable[[], object]) -> bytearray:
    """Of each of these, what is known from the look before; 0 for those that it did not have, and perhaps for one or
    another that it did, which costs little. They are told apart by identity alone. `between` lets others run."""
    before, were_met = last
    are_met = bytearray()
    there = compared = misses = 0  # `there`: in `before`, while `len(are_met)` is the place here
    at_once = _AT_ONCE
    while len(are_met) < len(references) and there < len(before) and misses <= len(references) // _MISSES_OF:
        if compared <= 0:
            between()
            compared = _AT_ONCE
        here = len(are_met)
        some, others = references[here : here + at_once], before[there : there + at_once]
        most = min(len(some), len(others))
        alike = next(compress(count(), map(is_not, some, others)), most)
        compared -= at_once
        are_met += were_met[there : there + alike]
        here, there = here + alike, there + alike
        if alike == most:
            at_once = min(4 * at_once, _AT_ONCE)
            continue
        misses, at_once = misses + 1, _NEAR
        if _is_gone(references, here, before, there):
            there += 1
        else:
            are_met.append(0)
    return are_met + _of_any_order(references[len(are_met) :], last, there, between)


def _is_gone(references: list[Reference], here: int, before: list[Reference], there: int) -> bool:
    """Where two lists differ: whether what the second has is in the first no more; else what the first has is new, or
    is asked again."""
    if there + 1 < len(before) and references[here] is before[there + 1]:
        return True
    if here + 1 < len(references) and references[here + 1] is before[there]:
        return False
    return before[there]() is None


def _of_any_order(references: list[Reference], last: Met, there: int, between: Callable[[], object]) -> bytearray:
    """The same, of those that the look before had from `there` on."""
    before, were_met = last
    are_met = bytearray()
    known: dict[int, int] = {}  # by the address of the reference, which lives as long as the list
    for start in range(there, len(before) if references else 0, _AT_ONCE):
        between()
        end = start + _AT_ONCE
        known.update(zip(map(id, before[start:end]), were_met[start:end], strict=True))
    for start in range(0, len(references), _AT_ONCE):
        between()
        are_met += bytes(map(known.get, map(id, references[start : start + _AT_ONCE]), repeat(0)))
    return are_met
