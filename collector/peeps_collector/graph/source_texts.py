# SPDX-License-Identifier: Apache-2.0
"""The text of lines that processes have told, for the places that findings and waits name."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from peeps_otel.model.seal import is_text_sealed
from peeps_otel.report.finding_text import line_of

from ..decode.canonical import Rejected
from ..decode.logs import SourceTextRecord
from .origin import sealed_by
from .process import Process

Json = dict[str, Any]
_MOST = 20_000
_OF_A_PROCESS = 2_000


class SourceTexts:
    """Thread-safe. The last 20,000 places, of one process the last 2,000."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: OrderedDict[str, OrderedDict[str, Json]] = OrderedDict()
        self._count = 0

    def told(self, process: str, record: SourceTextRecord, processes: Mapping[str, Process]) -> None:
        """A process has told some lines. Raises Rejected where another one says so."""
        key = _teller(process, record, processes)
        with self._lock:
            places = self._texts.setdefault(key, OrderedDict())
            self._texts.move_to_end(key)
            self._count += record.place not in places
            places[record.place] = {"first": record.first, "lines": record.text.split("\n")}
            places.move_to_end(record.place)
            if len(places) > _OF_A_PROCESS:
                places.popitem(last=False)
                self._count -= 1
            while self._count > _MOST:
                self._count -= len(self._texts.popitem(last=False)[1])

    def recalled(self, process: str, record: SourceTextRecord) -> None:
        """A process of a recording told it then."""
        with self._lock:
            places = self._texts.setdefault(process, OrderedDict())
            self._count += record.place not in places
            places[record.place] = {"first": record.first, "lines": record.text.split("\n")}

    def of(self, processes: Iterable[str], places: Iterable[str]) -> dict[str, Json]:
        """By place: the number of the first line, and the lines. What is not known is not in it."""
        with self._lock:
            known = [self._texts[key] for key in processes if key in self._texts]
            return {place: texts[place] for texts in reversed(known) for place in places if place in texts}

    def line(self, process: str, place: str) -> str:
        """The text of one line without its indentation; empty where it is not known."""
        with self._lock:
            return line_of(self._texts.get(process, {}), place)


def _teller(process: str, record: SourceTextRecord, processes: Mapping[str, Process]) -> str:
    """The process, or the forked copy under its name whose stream has sealed it."""
    teller = sealed_by(
        process,
        processes,
        lambda secret: is_text_sealed(record.seal, secret, record.place, record.first, record.text),
    )
    if teller is not None:
        return teller
    raise Rejected(
        f"{record.place[:200]}: peeps.source_text.seal is missing or wrong, so it is not from the process that sends "
        "the snapshots under this name"
    )
