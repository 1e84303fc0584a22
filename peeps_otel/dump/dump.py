# SPDX-License-Identifier: Apache-2.0
"""What a dump holds: processes at one moment, all their nodes and edges, what was found, and the lines it is at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..model import Edge, Finding, Node
from ..report.finding_text import line_of

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DumpedProcess:
    """One process. `id`: unique in the dump. `service`: empty where it has no name; `pid` 0 and `host` empty where not
    known; `directory`: the working directory, for short places. `time_ns`: of its snapshot. `coverage`: what is not
    seen of it. `answered`: False where its snapshot is older than it should be. `not_asked`: why the heap could not be
    asked, else empty; `came_ns`: when it began to be watched, where that was only for this dump, else 0."""

    id: str
    service: str
    pid: int
    host: str
    directory: str
    time_ns: int
    coverage: list[str] = field(default_factory=list[str])
    answered: bool = True
    not_asked: str = ""
    came_ns: int = 0

    def __str__(self) -> str:
        pid = f"pid {self.pid or 'unknown'}"
        return f"{self.service} ({pid})" if self.service else pid


class DumpedFinding(NamedTuple):
    """`processes`: the ids of those it is in."""

    finding: Finding
    processes: list[str]


@dataclass(frozen=True, slots=True)
class Dump:
    """`owner`: whose each node is; `sources`: lines of the program by process and place, as the API has them (`first`,
    the number of the first line, and `lines`). `missing`: how many further nodes were left out. Immutable by
    agreement; any thread."""

    time_ns: int
    processes: list[DumpedProcess]
    nodes: dict[str, Node]
    owner: dict[str, str]
    edges: list[Edge]
    findings: list[DumpedFinding] = field(default_factory=list[DumpedFinding])
    sources: dict[str, dict[str, Json]] = field(default_factory=dict[str, dict[str, Json]])
    missing: int = 0

    def only(self, wanted: str) -> Dump:
        """Of the process with this pid, service name or id. Raises LookupError, which names those there are."""
        ids = {one.id for one in self.processes if wanted in (one.id, one.service, str(one.pid))}
        if not ids:
            known = ", ".join(map(str, self.processes)) or "none"
            raise LookupError(f"no process {wanted!r} is in the dump; there are: {known}")
        return Dump(
            self.time_ns,
            [one for one in self.processes if one.id in ids],
            {key: node for key, node in self.nodes.items() if self.owner[key] in ids},
            {key: owner for key, owner in self.owner.items() if owner in ids},
            [edge for edge in self.edges if self.owner.get(edge.src) in ids],
            [one for one in self.findings if ids.intersection(one.processes)],
            {key: texts for key, texts in self.sources.items() if key in ids},
            self.missing,
        )


class DumpedTexts:
    """The lines of source in a dump, as `report.shown.Texts`."""

    def __init__(self, sources: dict[str, dict[str, Json]]) -> None:
        self._sources = sources

    def of(self, processes: Iterable[str], places: Iterable[str]) -> dict[str, Json]:
        """By place; what is not known is not in it."""
        known = [self._sources[key] for key in processes if key in self._sources]
        return {place: texts[place] for texts in reversed(known) for place in places if place in texts}

    def line(self, process: str, place: str) -> str:
        """The text of one line without its indentation; empty where it is not known."""
        return line_of(self._sources.get(process, {}), place)
