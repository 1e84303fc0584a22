# SPDX-License-Identifier: Apache-2.0
"""The collector's own numbers for Prometheus: what GET /health says, in its text format 0.0.4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Metric(NamedTuple):
    """`keys`: where the number is in the answer of /health. Of several metrics with one name only the labels differ."""

    name: str
    kind: str
    text: str
    keys: tuple[str, ...]
    labels: tuple[tuple[str, str], ...] = ()


_RECEIVED = tuple(
    _Metric("peeps_collector_received_total", "counter", "What was taken in.", ("received", what), (("kind", what),))
    for what in ("snapshots", "nodes", "findings", "spans", "logs", "metrics")
)
_BY_LEVEL = tuple(
    _Metric("peeps_findings", "gauge", "Findings that are open.", ("findings", level), (("level", level),))
    for level in ("PROVEN", "LIKELY", "SUSPECT", "SLOW")
)
METRICS = (
    *_RECEIVED,
    *_BY_LEVEL,
    _Metric("peeps_collector_rejected_records_total", "counter", "Records rejected.", ("rejected", "records")),
    _Metric("peeps_collector_refused_requests_total", "counter", "Told to come again.", ("refused", "requests")),
    _Metric("peeps_collector_dropped_rows_total", "counter", "Rows that the database refused.", ("dropped", "rows")),
    _Metric(
        "peeps_collector_over_quota_records_total", "counter", "Refused by a quota.", ("quotas", "refused_records")
    ),
    _Metric("peeps_collector_committed_total", "counter", "Transactions of the database.", ("committed",)),
    _Metric("peeps_collector_reopened_total", "counter", "How often the database was opened anew.", ("reopened",)),
    _Metric(
        "peeps_collector_client_errors_total", "counter", "Not taken, in part or whole.", ("client_errors", "count")
    ),
    _Metric("peeps_collector_processes", "gauge", "Processes that are known.", ("processes",)),
    _Metric("peeps_collector_queue_bytes", "gauge", "Received and not decoded.", ("queue_bytes",)),
    _Metric("peeps_collector_journal_bytes", "gauge", "Acknowledged, perhaps not stored.", ("journal_bytes",)),
    _Metric("peeps_collector_open_findings", "gauge", "Findings that are open.", ("findings", "open")),
    _Metric("peeps_collector_healthy", "gauge", "1: nothing fails. 0: see GET /health.", ("healthy",)),
)


class Number(NamedTuple):
    """`labels`: of one of several numbers with the same name."""

    name: str
    kind: str
    text: str
    labels: tuple[tuple[str, str], ...]
    value: int


def numbers_of(health: Mapping[str, Any]) -> list[Number]:
    """`health`: the answer of GET /health. What is not in it is left out."""
    found: list[Number] = []
    numbers = dict(health) | {"healthy": int(health.get("status") == "ok")}
    for metric in METRICS:
        value: Any = numbers
        for key in metric.keys:
            value = cast("dict[str, Any]", value).get(key) if isinstance(value, dict) else None
        if type(value) is int:
            found.append(Number(metric.name, metric.kind, metric.text, metric.labels, value))
    return found


def exposition(health: Mapping[str, Any]) -> str:
    """`health`: the answer of GET /health. What is not in it is left out."""
    lines: list[str] = []
    told: set[str] = set()
    for one in numbers_of(health):
        if one.name not in told:
            told.add(one.name)
            lines += [f"# HELP {one.name} {one.text}", f"# TYPE {one.name} {one.kind}"]
        labels = ",".join(f'{key}="{text}"' for key, text in one.labels)
        lines.append(f"{one.name}{f'{{{labels}}}' if labels else ''} {one.value}")
    return "\n".join(lines) + "\n"
