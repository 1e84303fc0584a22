# SPDX-License-Identifier: Apache-2.0
"""One process at one moment, as its own watcher sees it: every node and edge, and what was found."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from .. import semconv
from ..model import Edge, Finding, Node, Snapshot
from ..model.coverage import cannot_judge
from ..model.jsonable import finding_to_json
from ..probes.probe import Observation
from ..probes.runtime import asker
from ..report.calm import Waits
from ..report.finding_text import FindingText
from ..report.sentences import cannot_judge_sentence, duration, verdict_sentence
from ..report.shown import Shown
from ..report.style import PLAIN, printable
from ..report.waits_text import waits_text
from .line_texts import PictureTexts

_HERE = "this process"


@dataclass(frozen=True, slots=True)
class Picture:
    """`directory`: the working directory, for short places. `not_asked`: why the heap could not be asked who could end
    the waits, else empty. `came_ns`: when the process began to be watched, where that was only for this picture; 0: it
    is watched all along. Times are Unix epoch nanoseconds. Refers to no object of the program."""

    pid: int
    name: str
    directory: str
    time_ns: int
    nodes: dict[str, Node]
    edges: list[Edge]
    findings: list[Finding]
    coverage: list[str] = field(default_factory=list[str])
    not_asked: str = ""
    came_ns: int = 0
    service: str = ""

    @property
    def stuck(self) -> bool:
        """Whether something is found that is at least SUSPECT."""
        return any(finding.level.stuck for finding in self.findings)

    @property
    def sentence(self) -> str:
        """The verdict in one line."""
        shown = self.shown()
        worst = shown.finding(self._told(self.findings[0])) if self.findings else None
        calm = Waits(shown, list(self.nodes.values())).calm()
        return printable(verdict_sentence(worst, len(self.findings), self._blind(), calm))

    @property
    def text(self) -> str:
        """The whole verdict, as `peeps why` prints it."""
        told, shown = FindingText(PLAIN), self.shown()
        parts = ["\n".join(told.lines(shown.finding(self._told(finding)), self.name)) for finding in self.findings]
        if not self.findings:
            parts = [self.sentence]
        elif blind := self._blind():
            parts.append(printable(cannot_judge_sentence(blind)))
        if self.came_ns:
            parts.append(
                f"Watched for {duration(self.time_ns - self.came_ns)} only: waits are at least as old as said."
            )
        if self.not_asked and not self.stuck:
            parts.append(f"Not asked who could end the waits: {printable(self.not_asked)}.")
        return "\n\n".join(parts)

    def account(self) -> str:
        """The whole verdict, and who else waits for what, a line each."""
        told = {node for finding in self.findings for node in (*finding.core, *finding.blocked)}
        lines = waits_text(self.shown(), [node for node in self.nodes.values() if node.id not in told])
        return "\n".join([self.text, *([""] if lines else []), *lines])

    def _blind(self) -> list[tuple[str, str]]:
        return [(self.name, note) for note in cannot_judge(self.coverage)]

    def shown(self) -> Shown:
        """Its nodes and findings in words, with the text of their lines as the files have it now."""
        out: dict[str, list[Edge]] = {}
        for edge in self.edges:
            out.setdefault(edge.src, []).append(edge)
        view = _View(self.nodes, out, dict.fromkeys(self.nodes, _HERE))
        return Shown(view, {_HERE: self.directory}, self.time_ns, PictureTexts())

    def _told(self, finding: Finding) -> dict[str, Any]:
        return finding_to_json(finding) | {"processes": [_HERE], "blocked_count": len(finding.blocked)}


@dataclass(frozen=True, slots=True)
class _View:
    nodes: dict[str, Node]
    out: dict[str, list[Edge]]
    owner: dict[str, str]


def of_snapshot(snapshot: Snapshot, findings: list[Finding], not_asked: str = "", came_ns: int = 0) -> Picture:
    """`snapshot`: a complete one of this process. The calling thread, which asks, is left out."""
    own = asker()
    nodes = {node.id: node for node in snapshot.nodes if node.attributes.get(semconv.THREAD_ID) != own}
    return _of_this_process(snapshot.time_ns, nodes, snapshot.edges, findings, snapshot.coverage, not_asked, came_ns)


def of_observation(observation: Observation, findings: list[Finding], now_ns: int) -> Picture:
    """What a rule of the watcher is given."""
    edges = [edge for outgoing in observation.edges.values() for edge in outgoing]
    return _of_this_process(now_ns, dict(observation.nodes), edges, findings, observation.coverage)


def _of_this_process(
    now_ns: int,
    nodes: dict[str, Node],
    edges: list[Edge],
    findings: list[Finding],
    coverage: list[str],
    not_asked: str = "",
    came_ns: int = 0,
) -> Picture:
    try:
        directory = os.getcwd()
    except OSError:  # it has been deleted
        directory = ""
    name = os.environ.get("OTEL_SERVICE_NAME", "")
    named = f"{name} (pid {os.getpid()})" if name else f"pid {os.getpid()}"
    return Picture(
        os.getpid(), named, directory, now_ns, nodes, edges, list(findings), list(coverage), not_asked, came_ns, name
    )
