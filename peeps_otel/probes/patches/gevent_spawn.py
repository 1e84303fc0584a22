# SPDX-License-Identifier: Apache-2.0
"""Which greenlets there are: gevent keeps no list of them, but calls whoever asks for it when one is started.

Those that were started before are found once, by a search of all objects that is made in C from its beginning to its
end: nobody else can run meanwhile, and only weak references are left of it.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable
from itertools import chain, compress, repeat, tee
from typing import Any
from weakref import ref

from ...model.change import Change
from ..internals import gevent as internals
from .import_hook import when_imported

CHANGES = (
    Change(
        "`gevent.Greenlet`",
        "a function of ours that gevent calls when one is started (`add_spawn_callback`), which keeps a weak reference",
        "when gevent has been imported",
        "it stays, and does nothing",
        "`PEEPS_RECORD`",
    ),
)

_MODULE = "gevent.greenlet"
_KEPT_BY_TEE = 200  # objects, that a `tee` has in its hands at its end


class SpawnedGreenlets:
    """Weak references to greenlets, by address: of a dead one until another has its place."""

    def __init__(self) -> None:
        self._references: dict[int, ref[Any]] = {}
        self._undo: Callable[[], None] | None = None
        self._asked = False
        self.listens = False
        """Whether greenlets that are started now will be known."""

    def install(self) -> None:
        """Idempotent. Any thread."""
        if self._undo is None:
            late = _MODULE in sys.modules
            self._undo = when_imported(_MODULE, self._listen)
            if late:
                self.search()

    def search(self) -> None:
        """Also what was started before, and what is no `Greenlet` but one of greenlet's own kind."""
        for reference in _found(internals.greenlet_types()):
            one = reference()
            if one is not None:
                self._references.setdefault(id(one), reference)
            del one

    def uninstall(self) -> None:
        if self._undo is not None:
            self._undo()
            self._undo = None
        self.listens = False
        self._references.clear()

    def references(self) -> list[ref[Any]]:
        """Of those that may live. Forgets the others."""
        found = list(self._references.items())
        for address, reference in found:
            if reference() is None and self._references.get(address) is reference:
                self._references.pop(address, None)
        return [reference for _, reference in found if reference() is not None]

    def _listen(self) -> None:
        greenlet = internals.named(_MODULE, "Greenlet")
        self.listens = greenlet is not None
        if greenlet is not None and not self._asked:
            # Never taken out again: gevent walks through its callbacks, and would stumble over one that goes meanwhile.
            self._asked = True
            greenlet.add_spawn_callback(self._note)

    def _note(self, greenlet: Any) -> None:
        if self.listens:
            self._references[id(greenlet)] = ref(greenlet)


def _found(types: frozenset[int]) -> list[ref[Any]]:
    """Weak references to all objects of these types. The iterators are made first, with no object in anybody's hands;
    the search itself is one instruction, in which the interpreter is not given up."""
    objects = chain.from_iterable(map(_all_objects, (None,)))
    things, others = tee(chain(objects, repeat(None, _KEPT_BY_TEE)))
    wanted: Iterable[Any] = map(types.__contains__, map(id, map(type, others)))
    found = map(ref, compress(things, wanted))
    return [*found]


_all_objects: Any = gc.get_objects
