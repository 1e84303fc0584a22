# SPDX-License-Identifier: Apache-2.0
"""A column of a table: what it says of a subject, how it compares, and how it says the same of many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from .moment import Moment, Subject

Value: TypeAlias = str | int | float | None


class Type(StrEnum):
    """PLACE: `path:line`. SINCE: Unix epoch ns, shown and compared as the time since. DURATION: ns. SHARE: of 1."""

    TEXT = "text"
    PLACE = "place"
    NUMBER = "number"
    SINCE = "since"
    DURATION = "duration"
    SHARE = "share"


class Fold(StrEnum):
    """What a group says. SAME: what all say, else how many different values there are. FIRST: what its first says."""

    SAME = "same"
    FIRST = "first"
    SUM = "sum"
    LEAST = "least"
    MOST = "most"


_USUAL = {
    Type.TEXT: Fold.SAME,
    Type.PLACE: Fold.SAME,
    Type.NUMBER: Fold.SUM,
    Type.SINCE: Fold.LEAST,
    Type.DURATION: Fold.MOST,
    Type.SHARE: Fold.MOST,
}


@dataclass(frozen=True, slots=True)
class Column:
    """`key`: its name in filters and answers. `is_shown`: whether a table has it in view, or only knows it."""

    key: str
    title: str
    type: Type
    of: Callable[[Moment, Subject], Value]
    fold: Fold | None = None
    is_shown: bool = True

    def of_many(self, values: Sequence[Value]) -> Value:
        """What a group says, of whose members these are the values in order; None where none of them says anything."""
        known = [one for one in values if one is not None]
        if not known or len(known) == 1:
            return known[0] if known else None
        match self.fold or _USUAL[self.type]:
            case Fold.FIRST:
                return values[0]
            case Fold.SAME:
                different = len(dict.fromkeys(values))
                return values[0] if different == 1 else f"{different:,} different"
            case fold:
                numbers = [one for one in known if not isinstance(one, str)]
                return {Fold.SUM: sum, Fold.LEAST: min, Fold.MOST: max}[fold](numbers)
