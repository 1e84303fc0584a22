# SPDX-License-Identifier: Apache-2.0
"""Which asynchronous libraries the program itself has imported. None is ever imported for it."""

from __future__ import annotations

import sys

from ..model.coverage import blind
from .anyio.waits import AnyIO
from .asyncio.resources import Resources
from .asyncio.waits import Classifier
from .internals import anyio_core as anyio_internals


class LibraryRegistry:
    """For the watcher thread only."""

    def __init__(self) -> None:
        self.anyio: AnyIO | None = None
        self._refused = ""

    def meet(self, classifier: Classifier, resources: Resources) -> None:
        """Teaches the probe AnyIO as soon as the program has imported it. Cheap to ask again."""
        if self.anyio is not None or self._refused:
            return
        try:
            types = anyio_internals.types()
            if types is not None:
                self.anyio = AnyIO(types)
                classifier.learn_more(self.anyio.finders)
                resources.learn(self.anyio.species)
        except AttributeError as missing:
            self._refused = f"this AnyIO is not known: {missing}"

    def not_seen(self) -> list[str]:
        """What to say about libraries whose waits are not seen."""
        found = [self._refused] if self._refused else []
        if "trio" in sys.modules and anyio_internals.trio_runs():
            found.append(blind("trio runs: the tasks of its own loop are not seen"))
        return found
