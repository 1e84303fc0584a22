# SPDX-License-Identifier: Apache-2.0
"""What the collector may ask of a process, and how the process answers.

Snapshots go one way, over OTLP/HTTP. The collector's answer to one may carry a request in a header, and so may the
answer to a question of ours that waits for one (see `requests_heard`): nothing of ours listens anywhere, and whoever
can ask is whom the program was told to report to. A request can only start a diagnosis: it cannot read, change or stop
anything. An OpenTelemetry Collector in between drops both; requests then go unanswered, which the asker is told.
"""

from __future__ import annotations

import re
import time
from typing import Any, NamedTuple

from .. import semconv
from ..model import Finding, Snapshot
from ..probes.heap.leak_report import LeakReport
from ..watcher.look_requests import LookReport
from .otel_names import LogRecord, SeverityNumber, empty_context

REQUEST_HEADER = "peeps-request"
LEAKS = "leaks"
ATTENTION = "attention"
CUT = "cut"
END = "end"
"""`id`: the digest of the name of the end of a connection that somebody waits for."""
_FORM = re.compile(r"([a-z]{1,32});id=([0-9a-f]{1,32})")


class Request(NamedTuple):
    """`leaks;id=0123abcd`."""

    kind: str
    id: str

    @classmethod
    def parse(cls, header: str) -> Request | None:
        """None for anything else."""
        found = _FORM.fullmatch(header.strip())
        return None if found is None else cls(found[1], found[2])


def leaks_record(request: Request, report: LeakReport, findings: list[Finding]) -> LogRecord:
    """The event `peeps.leaks`: what a leak check has looked at. The leaks themselves are findings."""
    tasks = sum(node.startswith("task:") for finding in findings for node in (*finding.core, *finding.blocked))
    attributes: dict[str, Any] = {
        semconv.LEAKS_REQUEST: request.id,
        semconv.LEAKS_TASKS: len(report.lost),
        semconv.LEAKS_BLOCKED: report.blocked,
        semconv.LEAKS_OBJECTS: report.objects,
        semconv.LEAKS_DURATION: report.duration_ns,
        semconv.LEAKS_FINDINGS: [finding.id for finding in findings],
    }
    if report.pause_ns is not None:
        attributes[semconv.LEAKS_PAUSE] = report.pause_ns
    if report.in_process:
        attributes[semconv.LEAKS_IN_PROCESS] = report.in_process
    if report.not_run:
        attributes[semconv.LEAKS_NOT_RUN] = report.not_run
    return _record(semconv.EVENT_LEAKS, _sentence(report, tasks), attributes)


def looked_record(request: Request, report: LookReport, findings: list[Finding]) -> LogRecord:
    """The event `peeps.looked`: the look that was requested is done, its findings are told."""
    attributes: dict[str, Any] = {
        semconv.LOOKED_REQUEST: request.id,
        semconv.LOOKED_ASKED: report.asked,
        semconv.LOOKED_FINDINGS: [finding.id for finding in findings],
    }
    if report.not_asked:
        attributes[semconv.LOOKED_NOT_ASKED] = report.not_asked
    body = f"looked; {report.asked} waits were asked about who could end them"
    return _record(semconv.EVENT_LOOKED, body, attributes)


def cut_record(request: Request, snapshot: Snapshot) -> LogRecord:
    """The event `peeps.cut`: which snapshot is this process's part of the cut."""
    attributes: dict[str, Any] = {
        semconv.CUT_REQUEST: request.id,
        semconv.STREAM_ID: f"{snapshot.stream_id:016x}",
        semconv.SEQUENCE: snapshot.sequence,
        semconv.CUT_TIME: snapshot.time_ns,
    }
    return _record(semconv.EVENT_CUT, f"snapshot {snapshot.sequence} is complete", attributes)


def _record(name: str, body: str, attributes: dict[str, Any]) -> LogRecord:
    now_ns = time.time_ns()
    return LogRecord(
        timestamp=now_ns,
        observed_timestamp=now_ns,
        context=empty_context(),
        severity_number=SeverityNumber.INFO,
        severity_text=SeverityNumber.INFO.name,
        event_name=name,
        body=body,
        attributes=attributes,
    )


def _sentence(report: LeakReport, tasks: int) -> str:
    if report.not_run:
        return f"no leak check was made: {report.not_run}"
    return f"{tasks} of {report.blocked} blocked tasks can be woken by nobody"
