# SPDX-License-Identifier: Apache-2.0
"""Metric points of any sender as rows of the table `metric`: one row a point.

`value` is the number of a gauge or sum, and the sum of a histogram or summary; buckets and quantiles are in `detail`.
"""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, NumberDataPoint

from ..store.schema import Row
from .resource import ProcessInfo, process_of
from .values import attributes_of, json_text, nanoseconds

_TEMPORALITY = {0: None, 1: "delta", 2: "cumulative"}
_COUNT_MAX = (1 << 63) - 1


def decode_metrics(request: ExportMetricsServiceRequest, now_ns: int) -> list[tuple[ProcessInfo, list[Row]]]:
    """The points of each process."""
    found: list[tuple[ProcessInfo, list[Row]]] = []
    for block in request.resource_metrics:
        process = process_of(block.resource)
        rows: list[Row] = []
        for part in block.scope_metrics:
            for metric in part.metrics:
                rows += _rows(metric, process, part.scope.name, now_ns)
        found.append((process, rows))
    return found


def _number(point: NumberDataPoint) -> float | None:
    which = point.WhichOneof("value")
    return None if which is None else float(point.as_int if which == "as_int" else point.as_double)


def _rows(metric: Metric, process: ProcessInfo, scope: str, now_ns: int) -> list[Row]:
    kind = metric.WhichOneof("data")
    if kind is None:
        return []
    data: Any = getattr(metric, kind)
    temporality = _TEMPORALITY.get(getattr(data, "aggregation_temporality", 0))
    rows: list[Row] = []
    for point in data.data_points:
        value: float | None
        count: int | None = None
        minimum: float | None = None
        maximum: float | None = None
        detail: dict[str, Any] | None = None
        if kind in {"gauge", "sum"}:
            value = _number(point)
            if kind == "sum" and data.is_monotonic:
                detail = {"monotonic": True}
        else:
            count = min(point.count, _COUNT_MAX)
            value = point.sum if kind == "summary" or point.HasField("sum") else None
            if kind != "summary":
                minimum = point.min if point.HasField("min") else None
                maximum = point.max if point.HasField("max") else None
            detail = _detail(kind, point)
        rows.append(
            (
                process.id,
                process.service,
                nanoseconds(point.time_unix_nano),
                nanoseconds(point.start_time_unix_nano),
                metric.name,
                metric.unit,
                kind,
                temporality,
                value,
                count,
                minimum,
                maximum,
                scope,
                json_text(attributes_of(point.attributes)),
                None if detail is None else json_text(detail),
                now_ns,
            )
        )
    return rows


def _detail(kind: str, point: Any) -> dict[str, Any]:
    if kind == "histogram":
        return {"bounds": list(point.explicit_bounds), "counts": list(point.bucket_counts)}
    if kind == "exponential_histogram":
        return {
            "scale": point.scale,
            "zero_count": point.zero_count,
            "positive": {"offset": point.positive.offset, "counts": list(point.positive.bucket_counts)},
            "negative": {"offset": point.negative.offset, "counts": list(point.negative.bucket_counts)},
        }
    return {"quantiles": [[q.quantile, q.value] for q in point.quantile_values]}
