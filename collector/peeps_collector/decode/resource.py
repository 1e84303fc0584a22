# SPDX-License-Identifier: Apache-2.0
"""Which process a message comes from: the resource of OTLP."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from peeps_otel import semconv

from .values import attributes_of, whole


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """A process by its resource. `id`: service.instance.id, or derived from service name, host and pid."""

    id: str
    service: str
    pid: int | None
    host: str
    runtime: str
    resource: dict[str, Any] = field(default_factory=dict[str, Any], compare=False)

    def __str__(self) -> str:
        return f"{self.service} (pid {'unknown' if self.pid is None else self.pid})"


def process_of(resource: Resource) -> ProcessInfo:
    """Never fails: what is missing is empty."""
    attributes = attributes_of(resource.attributes)

    def text(key: str) -> str:
        value = attributes.get(key)
        return value if isinstance(value, str) else "" if value is None else str(value)

    service = text(semconv.SERVICE_NAME) or "unknown_service"
    host = text("host.name")
    pid = whole(attributes.get(semconv.PROCESS_PID))
    instance = text(semconv.SERVICE_INSTANCE_ID)
    if not instance:
        key = "\n".join((text("service.namespace"), service, host, str(pid)))
        instance = "derived-" + hashlib.sha256(key.encode()).hexdigest()[:24]
    name = text("process.runtime.name")
    name = {"cpython": "CPython", "pypy": "PyPy"}.get(name, name)
    runtime = f"{name} {text('process.runtime.version')}".strip()
    return ProcessInfo(instance, service, pid, host, runtime, attributes)
