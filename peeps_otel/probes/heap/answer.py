# SPDX-License-Identifier: Apache-2.0
"""What a question to the heap is told and what it brings. Apart from what asks, loaded at the first question."""

from __future__ import annotations

from typing import NamedTuple

from .ender import Ender, Key
from .leak_report import LeakReport


class BlockedThread(NamedTuple):
    """A thread whose wait is known. `ident`: `threading.get_ident()`."""

    ident: int
    name: str


class Answer(NamedTuple):
    """`enders`: of each thing asked about, in order. `leaks`: what the leak proof says of the tasks of the same
    instant. `acting`: how many callbacks of loops are due, on a timer or wait for a file, signals and the loops' own
    wake-ups not counted. `not_asked`: why there is no answer; empty where there is one. `cpu_ns`: processor time of the
    copy, `things_ns`: of it what was spent on each thing alone. `nobodys`: of each thing, whether no code of the
    program was ever to end a wait for it. `consumers`: those of the enders that wait for the first thing that each turn
    of a loop of theirs waits for."""

    enders: list[list[Ender]]
    leaks: LeakReport
    acting: int = 0
    cpu_ns: int = 0
    not_asked: str = ""
    nobodys: tuple[bool, ...] = ()
    consumers: frozenset[Key] = frozenset()
    things_ns: int = 0
