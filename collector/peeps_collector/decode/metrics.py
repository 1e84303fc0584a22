# SPDX-License-Identifier: Apache-2.0
"""Metric points of any sender as rows of the table `metric`: one row a point.

`value` is the number of a gauge or sum, and the sum of a histogram or summary; buckets and quantiles are in `detail`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Exemplar, Metric, NumberDataPoint

from ..store.schema import Row
from .resource import ProcessInfo, Scope, process_of, scope_of
from .rows import Decoded
from .values import attributes_of, json_text, nanoseconds, too_many_values

_TEMPORALITY = {0: None, 1: "delta", 2: "cumulative"}
_COUNT_MAX = (1 << 63) - 1
_NUMBERS_MOST = 20_000


def decode_metrics(request: ExportMetricsServiceRequest, now_ns: int) -> Iterator[Decoded]:
    """The points of each process, in pieces."""
    for block in request.resource_metrics:
        found = Decoded(process := process_of(block.resource, block.schema_url))
        for part in block.scope_metrics:
            scope = scope_of(part.scope, part.schema_url)
            for metric in part.metrics:
                kind = metric.WhichOneof("data")
                for point in () if kind is None else getattr(metric, kind).data_points:
                    if why := _too_much(kind, point):
                        found.reject(f"a point of metric {metric.name!r}", why)
                    else:
                        found.rows.append(_row(metric, kind, point, process, scope, now_ns))
                    if found.full:
                        yield found
                        found = Decoded(process)
        yield found


def _too_much(kind: str | None, point: Any) -> str:
    numbers = len(point.quantile_values if kind == "summary" else point.exemplars)
    if kind == "histogram":
        numbers += len(point.bucket_counts) + len(point.explicit_bounds)
    elif kind == "exponential_histogram":
        numbers += len(point.positive.bucket_counts) + len(point.negative.bucket_counts)
    if numbers > _NUMBERS_MOST:
        return f"it has {numbers} buckets, quantiles and exemplars; at most {_NUMBERS_MOST}"
    return too_many_values(point.ByteSize(), point.attributes)


def _row(metric: Metric, kind: str | None, point: Any, process: ProcessInfo, scope: Scope, now_ns: int) -> Row:
    data: Any = getattr(metric, kind or "gauge")
    value: float | None
    whole: int | None = None
    count: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    detail: dict[str, Any] | None = None
    if kind in {"gauge", "sum"}:
        value, whole = _number(point)
    else:
        count = min(point.count, _COUNT_MAX)
        value = point.sum if kind == "summary" or point.HasField("sum") else None
        if kind != "summary":
            minimum = point.min if point.HasField("min") else None
            maximum = point.max if point.HasField("max") else None
        detail = _detail(kind, point) | ({"count": point.count} if point.count != count else {})
    exemplars = [] if kind == "summary" else [_exemplar(exemplar) for exemplar in point.exemplars]
    return (
        process.id,
        process.service,
        nanoseconds(point.time_unix_nano),
        nanoseconds(point.start_time_unix_nano),
        metric.name,
        metric.unit,
        kind,
        _TEMPORALITY.get(getattr(data, "aggregation_temporality", 0)),
        value,
        count,
        minimum,
        maximum,
        scope.row[0],
        json_text(attributes_of(point.attributes)),
        None if detail is None else json_text(detail),
        now_ns,
        whole,
        data.is_monotonic if kind == "sum" else None,
        metric.description or None,
        point.flags,
        json_text(exemplars) if exemplars else None,
        json_text(attributes_of(metric.metadata)) if metric.metadata else None,
        *scope.row[1:],
        process.key,
    )


def _number(point: NumberDataPoint) -> tuple[float | None, int | None]:
    """As a float and, where it is an integer, exactly."""
    match point.WhichOneof("value"):
        case "as_int":
            return float(point.as_int), point.as_int
        case "as_double":
            return point.as_double, None
        case _:
            return None, None


def _exemplar(exemplar: Exemplar) -> dict[str, Any]:
    which = exemplar.WhichOneof("value")
    found: dict[str, Any] = {"time_ns": exemplar.time_unix_nano}
    if which is not None:
        found["value"] = getattr(exemplar, which)
    if exemplar.trace_id or exemplar.span_id:
        found |= {"trace_id": exemplar.trace_id.hex(), "span_id": exemplar.span_id.hex()}
    if exemplar.filtered_attributes:
        found["attributes"] = attributes_of(exemplar.filtered_attributes)
    return found


def _detail(kind: str | None, point: Any) -> dict[str, Any]:
    if kind == "histogram":
        return {"bounds": list(point.explicit_bounds), "counts": list(point.bucket_counts)}
    if kind == "exponential_histogram":
        return {
            "scale": point.scale,
            "zero_count": point.zero_count,
            "zero_threshold": point.zero_threshold,
            "positive": {"offset": point.positive.offset, "counts": list(point.positive.bucket_counts)},
            "negative": {"offset": point.negative.offset, "counts": list(point.negative.bucket_counts)},
        }
    return {"quantiles": [[q.quantile, q.value] for q in point.quantile_values]}
