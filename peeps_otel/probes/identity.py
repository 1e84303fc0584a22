# SPDX-License-Identifier: Apache-2.0
"""Which object is which node, without keeping the object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar
from weakref import ref

from ..model import NodeKind
from ..model.ulid import UlidSource

Record = TypeVar("Record")
_PAUSE_EVERY = 1000


class Identities(Generic[Record]):
    """Objects of the program by address, each with a weak reference that tells a reused address from the object.

    For the watcher thread only. An object that takes no weak reference has no identity and is not shown.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[ref[Any], Record]] = {}
        self.replaced: list[Record] = []  # of dead objects whose address another one has

    def get(self, thing: object) -> Record | None:
        found = self._known.get(id(thing))
        return found[1] if found is not None and found[0]() is thing else None

    def at(self, address: int) -> Record | None:
        """The record of the object that lives at this address."""
        found = self._known.get(address)
        return found[1] if found is not None and found[0]() is not None else None

    def put(self, thing: object, record: Record) -> bool:
        """False where `thing` takes no weak reference."""
        try:
            reference = ref(thing)
        except TypeError:
            return False
        before = self._known.get(id(thing))
        if before is not None and before[0]() is None:
            self.replaced.append(before[1])
        self._known[id(thing)] = (reference, record)
        return True

    def alive(self) -> list[tuple[Any, Record]]:
        """The objects that live, with their records. Let go of them at once."""
        return [(thing, record) for reference, record in self.records() if (thing := reference()) is not None]

    def forget_dead(self) -> list[Record]:
        """Removes the objects that are gone and returns their records."""
        dead = [address for address, (reference, _) in list(self._known.items()) if reference() is None]
        replaced, self.replaced = self.replaced, []
        return replaced + [self._known.pop(address)[1] for address in dead]

    def sweep(self, over: Callable[[Record], bool], pause: Callable[[], None]) -> list[Record]:
        """Removes the objects that are gone and those whose record is `over`; returns the records. `pause` is called
        now and then."""
        gone: list[int] = []
        for number, (address, (reference, record)) in enumerate(self._known.items()):
            if number % _PAUSE_EVERY == 0:
                pause()
            if over(record) or reference() is None:
                gone.append(address)
        swept, self.replaced = self.replaced, []
        return swept + [self._known.pop(address)[1] for address in gone]

    def records(self) -> list[tuple[ref[Any], Record]]:
        return list(self._known.values())

    def __len__(self) -> int:
        return len(self._known)


class NodeIds:
    """Makes node ids. Not thread-safe."""

    def __init__(self) -> None:
        self._ulids = UlidSource()

    def new(self, kind: NodeKind, created_ns: int) -> str:
        return f"{kind}:{self._ulids.text(created_ns)}"
