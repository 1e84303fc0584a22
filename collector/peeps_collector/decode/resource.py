# SPDX-License-Identifier: Apache-2.0
"""Who a message comes from: the resource and the instrumentation scope of OTLP."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from peeps_otel import semconv

from ..store.schema import Row
from .values import attributes_of, json_text, whole

_NO_SERVICE = "unknown_service"
_KNOWN_MOST, _KNOWN_BYTES = 2000, 4096


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """A process by its resource. `id`: service.instance.id, or derived from the whole resource. `key`: names exactly
    this resource, in the table `resource`; two senders that call themselves the same have two."""

    id: str
    service: str
    pid: int | None
    host: str
    runtime: str
    resource: dict[str, Any] = field(default_factory=dict[str, Any], compare=False)
    key: str = field(default="", compare=False)
    schema_url: str = field(default="", compare=False)
    dropped: int = field(default=0, compare=False)

    def updated(self, later: ProcessInfo) -> ProcessInfo:
        """With what a later resource of the same process says. What that leaves out stays: the program's own telemetry
        and ours come under one id with different resources, in turns. The same object where nothing is new."""
        if later is self:
            return self
        info = ProcessInfo(
            self.id,
            later.service if later.service != _NO_SERVICE else self.service,
            self.pid if later.pid is None else later.pid,
            later.host or self.host,
            later.runtime or self.runtime,
            self.resource | later.resource,
            later.key,
            later.schema_url,
            later.dropped,
        )
        return self if info == self and info.resource.keys() == self.resource.keys() else info

    def __str__(self) -> str:
        return f"{self.service} (pid {'unknown' if self.pid is None else self.pid})"

    @property
    def row(self) -> Row:
        """Of the table `resource`."""
        return (self.key, self.id, self.service, json_text(self.resource), self.dropped, self.schema_url or None)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a record says of where it was made. `row`: the columns of it that span, log and metric share."""

    row: tuple[str, str | None, str | None, str | None]


def process_of(resource: Resource, schema_url: str = "") -> ProcessInfo:
    """Never fails: what is missing is empty. Of the same resource, once read, it is the same object."""
    if resource.ByteSize() > _KNOWN_BYTES:
        return _process_of(resource, schema_url)
    return _known_process(resource.SerializeToString(), schema_url)


@lru_cache(_KNOWN_MOST)
def _known_process(resource: bytes, schema_url: str) -> ProcessInfo:
    return _process_of(Resource.FromString(resource), schema_url)


def _process_of(resource: Resource, schema_url: str) -> ProcessInfo:
    attributes = attributes_of(resource.attributes)

    def text(key: str) -> str:
        value = attributes.get(key)
        return value if isinstance(value, str) else "" if value is None else str(value)

    service = text(semconv.SERVICE_NAME) or _NO_SERVICE
    host = text("host.name")
    pid = whole(attributes.get(semconv.PROCESS_PID))
    whole_text = json_text(dict(sorted(attributes.items())))
    key = hashlib.sha256(f"{schema_url}\n{resource.dropped_attributes_count}\n{whole_text}".encode()).hexdigest()[:24]
    instance = text(semconv.SERVICE_INSTANCE_ID)
    if not instance:
        # Of everything that is known: two pods of one service on one host have perhaps nothing else apart.
        instance = "derived-" + hashlib.sha256(whole_text.encode()).hexdigest()[:24]
    name = text("process.runtime.name")
    name = {"cpython": "CPython", "pypy": "PyPy"}.get(name, name)
    runtime = f"{name} {text('process.runtime.version')}".strip()
    dropped = resource.dropped_attributes_count
    return ProcessInfo(instance, service, pid, host, runtime, attributes, key, schema_url, dropped)


def scope_of(scope: InstrumentationScope, schema_url: str) -> Scope:
    attributes = attributes_of(scope.attributes)
    if scope.dropped_attributes_count:
        attributes["dropped_attributes_count"] = scope.dropped_attributes_count
    return Scope((scope.name, scope.version or None, json_text(attributes) if attributes else None, schema_url or None))
