# SPDX-License-Identifier: Apache-2.0
"""Thresholds: numbers with a name, a unit and a default, declared where they are used and set from one table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import ClassVar, NamedTuple, overload

_MILLISECOND = 1_000_000
_SECOND = 1000 * _MILLISECOND
_NS = {"ms": _MILLISECOND, "s": _SECOND, "min": 60 * _SECOND, "h": 3600 * _SECOND}
_LONGEST_NS = 24 * _NS["h"]
_MOST = 1_000_000


class BadThreshold(ValueError):
    """Says what a value must look like."""


class _Kind(NamedTuple):
    expected: str
    suffix: str


class Unit(Enum):
    """What a threshold counts. A DURATION is kept in nanoseconds."""

    DURATION = _Kind("a duration above 0 and up to 24h, such as 500ms, 2s or 5min", "")
    NUMBER = _Kind(f"a whole number from 1 to {_MOST}", "")
    PERCENT = _Kind("a whole number from 1 to 100", "%")

    def parse(self, text: str) -> int:
        """Raises BadThreshold."""
        if self is Unit.DURATION:
            found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s|min|h)", text)
            value = 0 if found is None else round(float(found[1]) * _NS[found[2]])
            most = _LONGEST_NS
        else:
            digits = text.removesuffix(self.value.suffix).strip() if self.value.suffix else text
            value = int(digits) if re.fullmatch(r"[0-9]{1,9}", digits) else 0
            most = 100 if self is Unit.PERCENT else _MOST
        if not 0 < value <= most:
            raise BadThreshold(f"{text!r} is not {self.value.expected}")
        return value

    def text(self, value: int) -> str:
        """`0.8 s`, `50 %`, `100`."""
        if self is Unit.DURATION:
            return f"{value / _SECOND:g} s"
        return f"{value} %" if self is Unit.PERCENT else str(value)


class Threshold:
    """A descriptor: of the class the threshold itself, of an instance its value."""

    def __init__(self, unit: Unit, default: int, meaning: str) -> None:
        self.name = ""
        self.unit = unit
        self.default = default
        self.meaning = meaning

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Threshold: ...

    @overload
    def __get__(self, instance: Tunable, owner: type) -> int: ...

    def __get__(self, instance: Tunable | None, owner: type) -> Threshold | int:
        return self if instance is None else instance.values[self.name]


def seconds(default: float, meaning: str) -> Threshold:
    """A duration; the value is in nanoseconds."""
    return Threshold(Unit.DURATION, round(default * _SECOND), meaning)


def number(default: int, meaning: str) -> Threshold:
    return Threshold(Unit.NUMBER, default, meaning)


def percent(default: int, meaning: str) -> Threshold:
    return Threshold(Unit.PERCENT, default, meaning)


class Tunable:
    """Something with a name and thresholds. `thresholds`: in the order of their declaration; the first is the one that
    is meant where only a value is given."""

    name: ClassVar[str] = ""
    thresholds: ClassVar[tuple[Threshold, ...]] = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.thresholds += tuple(value for value in vars(cls).values() if isinstance(value, Threshold))

    def __init__(self, values: Mapping[str, int] | None = None) -> None:
        """`values`: of the thresholds that are not as by default."""
        self.values: dict[str, int] = {one.name: one.default for one in self.thresholds} | dict(values or {})


class LongWait(Tunable):
    """What all rules share: when a wait counts, and when it counts as long."""

    name = "long_wait"

    waited = seconds(2, "a shorter wait is not long, whatever is usual at its line")
    settle = seconds(0.05, "a younger wait is no member of anything: it may be a hand-over that a look fell into")
    could_end = seconds(10, "the least for a verdict that rests on what the heap says of code still to run")
    factor = number(3, "how many times as long as the longest wait that was seen to end at the same line")
