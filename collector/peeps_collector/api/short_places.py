# SPDX-License-Identifier: Apache-2.0
"""Short forms of places in what the history says, which does not say of which process each is."""

from __future__ import annotations

from peeps_otel import semconv
from peeps_otel.report.in_words import Places

from ..graph.live import LiveGraph


class ShortPlaces:
    """Relative to the innermost working directory, of a process that is known, that a place is in."""

    def __init__(self, live: LiveGraph) -> None:
        resources = (process.info.resource for process in live.processes().values())
        known = {str(one.get(semconv.PROCESS_WORKING_DIRECTORY) or "") for one in resources}
        ordered = sorted((one for one in known if one.strip("/\\")), key=len, reverse=True)
        self._directories = [(one.replace("\\", "/").rstrip("/") + "/", Places(one)) for one in ordered]

    def short(self, place: str) -> str:
        path = place.replace("\\", "/")
        inside = (places for prefix, places in self._directories if path.startswith(prefix))
        return next(inside, _ANYWHERE).short(place)


_ANYWHERE = Places()
