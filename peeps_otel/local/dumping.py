# SPDX-License-Identifier: Apache-2.0
"""Pictures of processes as a dump file (docs/dumps.md)."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Sequence

from ..dump import file
from ..dump.dump import Dump, DumpedFinding, DumpedProcess
from ..model import Level, Node, own_line
from ..model.jsonable import finding_to_json
from ..report.in_words import lines_named
from ..report.shown import Shown
from .line_texts import PictureTexts
from .picture import Picture

_LEVELS = list(Level)
_PLACES_MOST = 500  # of one process; those of findings first, then the longest waits


def write(picture: Picture | Sequence[Picture], path: str | os.PathLike[str]) -> None:
    """One picture, or one of each process, to a file: all of it or nothing, for its owner alone. The text of lines is
    read now, from the files of this machine. Raises OSError."""
    file.write(of_pictures([picture] if isinstance(picture, Picture) else picture), path)


def of_pictures(pictures: Sequence[Picture]) -> Dump:
    """One dump of pictures of different processes."""
    dump = Dump(max((one.time_ns for one in pictures), default=0), [], {}, {}, [])
    host = socket.gethostname()
    for picture in pictures:
        process = _process(picture, host)
        dump.processes.append(process)
        dump.nodes.update(picture.nodes)
        dump.owner.update(dict.fromkeys(picture.nodes, process.id))
        dump.edges.extend(picture.edges)
        dump.findings.extend(DumpedFinding(finding, [process.id]) for finding in picture.findings)
        dump.sources[process.id] = PictureTexts().of([], _places(picture))
    dump.findings.sort(key=lambda one: (_LEVELS.index(one.finding.level), one.finding.since_ns))
    return dump


def _process(picture: Picture, host: str) -> DumpedProcess:
    return DumpedProcess(
        f"{host}/{picture.pid}",
        picture.service,
        picture.pid,
        host,
        picture.directory,
        picture.time_ns,
        list(picture.coverage),
        not_asked=picture.not_asked,
        came_ns=picture.came_ns,
    )


def _places(picture: Picture) -> list[str]:
    """The program's own lines that somebody who reads it may want to see."""
    words: Shown = picture.shown()
    places: dict[str, None] = {}
    for finding in picture.findings:
        told = words.finding(finding_to_json(finding) | {"processes": [], "blocked_count": len(finding.blocked)})
        places |= dict.fromkeys(lines_named(told, told["nodes"]))
    places |= dict.fromkeys(_waits(picture.nodes.values()))
    return [place for place in places if place][:_PLACES_MOST]


def _waits(nodes: Iterable[Node]) -> list[str]:
    waits = sorted((node.wait for node in nodes if node.wait is not None), key=lambda wait: wait.since_ns)
    return [own_line.line_of(wait.source) for wait in waits]
