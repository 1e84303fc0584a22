# SPDX-License-Identifier: Apache-2.0
"""`peeps.request.in_flight` events: what a process has told of a call, so that it can be said how that ended where the
process cannot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from peeps_otel import semconv
from peeps_otel.model.call_state import ENDS, LOST

_BYTES_MOST = 8192


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One event. `node_id`: of the request or response; `ended`: no further one comes of it. `told`: the record with
    its resource and scope, as a request of OTLP; empty where it has ended, or is larger than such records are."""

    node_id: str
    ended: bool
    told: bytes


def call_of(block: ResourceLogs, part: ScopeLogs, record: LogRecord) -> Iterator[CallRecord]:
    """None where it does not say of which call it is."""
    said = {one.key: one.value.string_value for one in record.attributes}
    node_id = said.get(semconv.NODE_ID, "")
    if node_id:
        ended = said.get(semconv.STATE, "") in ENDS
        yield CallRecord(node_id, ended, b"" if ended else _alone(block, part, record))


def lost(told: bytes, time_ns: int, now_ns: int, why: str) -> bytes:
    """The last event of a call: a request of OTLP. `time_ns`: when its process was last heard of, by the clock of that;
    `now_ns`: by ours. `why`: who ended, in a few words."""
    request = ExportLogsServiceRequest.FromString(told)
    block = request.resource_logs[0]
    record = block.scope_logs[0].log_records[0]
    said: dict[str, Any] = {one.key: one.value for one in record.attributes}
    record.time_unix_nano = max(time_ns, record.time_unix_nano)
    record.observed_time_unix_nano = now_ns
    new = {semconv.STATE: AnyValue(string_value=LOST)}
    after = ""
    if semconv.CREATED_AT in said:
        elapsed_ns = max(record.time_unix_nano - said[semconv.CREATED_AT].int_value, 0)
        new[semconv.RPC_ELAPSED] = AnyValue(int_value=elapsed_ns)
        after = f", after {elapsed_ns / 1e9:.3g} s"
    kept = [one for one in record.attributes if one.key not in (semconv.RPC_REASON, *new)]
    del record.attributes[:]
    record.attributes.extend([*kept, *(KeyValue(key=key, value=value) for key, value in new.items())])
    kind, method = (said[key].string_value if key in said else "" for key in (semconv.NODE_KIND, semconv.METHOD))
    record.body.CopyFrom(AnyValue(string_value=f"{kind or 'call'} {method} was lost{after}: {why}"))
    return request.SerializeToString()


def _alone(block: ResourceLogs, part: ScopeLogs, record: LogRecord) -> bytes:
    scope = ScopeLogs(scope=part.scope, schema_url=part.schema_url, log_records=[record])
    one = ResourceLogs(resource=block.resource, schema_url=block.schema_url, scope_logs=[scope])
    told = ExportLogsServiceRequest(resource_logs=[one]).SerializeToString()
    return told if len(told) <= _BYTES_MOST else b""
