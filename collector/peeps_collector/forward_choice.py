# SPDX-License-Identifier: Apache-2.0
"""Which of what was taken goes on to other backends, by the attributes of records and of who sent them."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from .decode.values import attributes_of, json_text
from .receive.encoding import decode_request
from .receive.request import Encoding, Signal

_POINTS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")


class Choice:
    """Keeps the records of which all conditions hold: an attribute of theirs or of their resource fits the whole of an
    expression. Without a condition everything is kept, unread. Thread-safe."""

    def __init__(self, conditions: Mapping[str, str] | None = None) -> None:
        """By key: a regular expression."""
        self._conditions = {key: re.compile(text) for key, text in (conditions or {}).items()}

    def of(self, signal: Signal, encoding: Encoding, body: bytes) -> tuple[Encoding, bytes] | None:
        """What goes on of a request; None where nothing does. Raises Undecodable."""
        if not self._conditions:
            return encoding, body
        message: Any = decode_request(signal, encoding, body)
        blocks = getattr(message, f"resource_{_NAMES[signal]}")
        for block in blocks:
            left = self._left(block.resource.attributes, self._conditions)
            for scope in getattr(block, f"scope_{_NAMES[signal]}") if left else ():
                self._thin_out(signal, scope, left)
        drop(blocks, [block for block in blocks if not _is_empty(signal, block)])
        return (Encoding.PROTOBUF, message.SerializeToString()) if len(blocks) else None

    def _left(self, attributes: Iterable[KeyValue], of: Mapping[str, re.Pattern[str]]) -> dict[str, re.Pattern[str]]:
        """The conditions that these attributes do not meet."""
        found = attributes_of(attributes)
        return {key: pattern for key, pattern in of.items() if not pattern.fullmatch(_text(found.get(key)))}

    def _thin_out(self, signal: Signal, scope: Any, left: Mapping[str, re.Pattern[str]]) -> None:
        if signal is Signal.METRICS:
            for metric in scope.metrics:
                for kind in _POINTS:
                    if metric.HasField(kind):
                        points = getattr(metric, kind).data_points
                        drop(points, [point for point in points if not self._left(point.attributes, left)])
            drop(scope.metrics, [metric for metric in scope.metrics if _has_points(metric)])
        else:
            records = scope.spans if signal is Signal.TRACES else scope.log_records
            drop(records, [record for record in records if not self._left(record.attributes, left)])


_NAMES = {Signal.TRACES: "spans", Signal.METRICS: "metrics", Signal.LOGS: "logs"}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json_text(value)


def _has_points(metric: Any) -> bool:
    return any(metric.HasField(kind) and len(getattr(metric, kind).data_points) for kind in _POINTS)


def _is_empty(signal: Signal, block: Any) -> bool:
    field = {Signal.TRACES: "spans", Signal.METRICS: "metrics", Signal.LOGS: "log_records"}[signal]
    return not any(len(getattr(scope, field)) for scope in getattr(block, f"scope_{_NAMES[signal]}"))


def drop(records: Any, kept: Sequence[Any]) -> None:
    """Of a repeated field only those stay."""
    if len(kept) < len(records):
        copies: list[Any] = [copy.deepcopy(one) for one in kept]
        del records[:]
        records.extend(copies)
