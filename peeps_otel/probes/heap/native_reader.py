# SPDX-License-Identifier: Apache-2.0
"""The loops over the whole heap in C, where `peeps-otel-native` is installed. Nothing needs it: without it, and
wherever it fails, the same is done in Python.

It is used in copies of the process only, where a crash of it costs an answer and nothing else; after one it is not
used again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from collections.abc import Set as AbstractSet
from importlib import import_module
from typing import Any, Protocol

from ...model.change import Change
from ...own_log import OwnLog

CHANGES = (
    Change(
        "`sys.modules`",
        "the extension module `peeps_otel_native` is imported; its functions are called in copies of the process only",
        "at the first question to the heap or leak proof, where `peeps-otel-native` is installed",
        "stays imported",
        "`PEEPS_NATIVE`",
    ),
)

INTERFACE = 1
"""What the methods here take and give. Another number: it was made for another version of us."""
_MODULE = "peeps_otel_native"


class NativeHeap(Protocol):
    """A picture of the heap that C has made. Positions are those of the list that it was made of."""

    @property
    def kinds(self) -> list[type[Any]]:
        """The types of all objects, each once."""
        ...

    def place(self, address: int, /) -> int | None: ...
    def count(self, place: int, /) -> int: ...
    def onward_from(self, place: int, /) -> list[int]: ...
    def referrers(self, place: int, /) -> list[int]: ...
    def unexplained(self) -> list[int]: ...
    def of(self, wanted: bytes, /) -> list[int]:
        """The positions of all whose kind has a byte that is not 0."""
        ...

    def leading_to(
        self, things: AbstractSet[int], stops: Iterable[Collection[int]], layers: int, objects: int, /
    ) -> tuple[dict[int, dict[int, int]], dict[int, list[int]], dict[int, int], set[int]]: ...

    def reach(
        self,
        blocked: list[tuple[Any, ...]],
        ours: set[int],
        left_out: Collection[int],
        tasks: tuple[type[Any], ...],
        fields: tuple[type[Any], ...],
        weak: tuple[type[Any], ...],
        acts_when_collected: Callable[[object], bool],
        /,
    ) -> tuple[set[int], set[int]]: ...


Make = Callable[[list[Any], object], NativeHeap]
"""Of all tracked objects, and one that is not to be walked."""
_given_up: list[str] = []
_logger = OwnLog()


def reader() -> Make | None:
    """What makes one; None where it is not installed, made for another version, or was given up. Never raises. Not to
    be called in a copy: it may import."""
    if _given_up:
        return None
    try:
        module = import_module(_MODULE)
        return module.Heap if module.INTERFACE == INTERFACE else None
    except Exception:  # it may be broken in any way
        return None


def give_up(reason: str) -> None:
    """It is not used again in this process."""
    _given_up.append(reason)
    _logger.warning("peeps: peeps-otel-native failed (%s); what it does is done in Python", reason)


def switch_off() -> None:
    """It is not used, nor loaded."""
    _given_up.append("switched off")
