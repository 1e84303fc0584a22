# SPDX-License-Identifier: Apache-2.0
"""`peeps.source_text` events: the text of the lines that a finding, or a long wait, is at.

Only of the program's own files, and only to a collector of ours: the same way as snapshots. Each place is told when it
first matters, and again with each key frame as long as it does, so that a collector that has begun anew has it too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from .. import semconv
from ..model import Finding, Node, Snapshot, own_line
from ..model.seal import text_seal
from ..probes.source.line_text import LineTexts, SourceText
from ..watcher.interfaces import CycleResult
from .otel_names import LogRecord, SeverityNumber, empty_context

_LONG_NS = 5_000_000_000
_SCAN_NS = 2_000_000_000  # between two searches for long waits
_FINDINGS_MOST = 32
_STEPS_MOST = 16
_FRAMES_MOST = 3
_PLACES_MOST = 100  # that matter at one time
_AT_ONCE = 12  # records of a look
_KNOWN_MOST = 1000


class SourceTexts:
    """What is to be told of after each look. On the watcher's thread only."""

    def __init__(self, texts: LineTexts) -> None:
        self._texts = texts
        self._known: dict[str, SourceText | None] = {}
        self._told: set[str] = set()
        self._long: list[str] = []
        self._scanned_ns = 0

    def due(self, look: CycleResult) -> list[LogRecord]:
        """The records that are to be sent now, at most 12: the others come after the next look."""
        if look.snapshot.key_frame:
            self._told.clear()
            if len(self._known) > _KNOWN_MOST:
                self._known.clear()
        records: list[LogRecord] = []
        for place in self._wanted(look):
            if place in self._told:
                continue
            self._told.add(place)
            text = self._text(place)
            if text is not None:
                records.append(_record(place, text, look.snapshot))
                if len(records) == _AT_ONCE:
                    break
        return records

    def _wanted(self, look: CycleResult) -> list[str]:
        """Places that matter now, those of the worst findings first."""
        found: dict[str, None] = {}
        nodes = look.observation.nodes
        for finding in list(look.findings)[:_FINDINGS_MOST]:
            found |= dict.fromkeys(_places(finding, nodes.get))
        found |= dict.fromkeys(self._long_waits(nodes.values(), look.snapshot.time_ns))
        return [place for place in found if place][:_PLACES_MOST]

    def _long_waits(self, nodes: Iterable[Node], now_ns: int) -> list[str]:
        clock_ns = time.monotonic_ns()
        if clock_ns - self._scanned_ns >= _SCAN_NS:
            self._scanned_ns = clock_ns
            waits = (node.wait for node in nodes if node.wait is not None)
            lines = (own_line.line_of(wait.source) for wait in waits if now_ns - wait.since_ns >= _LONG_NS)
            self._long = list(dict.fromkeys(lines))
        return self._long

    def _text(self, place: str) -> SourceText | None:
        if place not in self._known:
            file, _, line = place.rpartition(":")
            self._known[place] = self._texts.around(file, int(line)) if line.isdecimal() else None
        return self._known[place]


def _places(finding: Finding, node_of: Callable[[str], Node | None]) -> Iterator[str]:
    """The lines that a person is pointed to, the first one to open first."""
    yield own_line.line_of(finding.look_at)
    steps = finding.evidence[:_STEPS_MOST]
    for step in steps:
        yield own_line.line_of(step.wait_source)
        yield own_line.line_of(step.hold_source or "")
    stacks = [finding.stack]
    for step in steps:
        for member in (step.waiter, step.holder):
            node = None if member is None else node_of(member)
            if node is not None:
                stacks.append(node.stack)
    for stack in stacks:
        own = [frame for frame in reversed(stack) if not frame.library]
        yield from (own_line.source(frame) for frame in own[:_FRAMES_MOST])


def _record(place: str, text: SourceText, snapshot: Snapshot) -> LogRecord:
    body = "\n".join(text.lines)
    attributes: dict[str, str | int] = {semconv.SOURCE: place, semconv.SOURCE_TEXT_FIRST: text.first}
    if snapshot.secret:
        attributes[semconv.SOURCE_TEXT_SEAL] = text_seal(snapshot.secret, place, text.first, body)
    return LogRecord(
        timestamp=snapshot.time_ns,
        observed_timestamp=snapshot.time_ns,
        context=empty_context(),
        severity_number=SeverityNumber.DEBUG,
        severity_text="DEBUG",
        event_name=semconv.EVENT_SOURCE_TEXT,
        body=body,
        attributes=attributes,
    )
