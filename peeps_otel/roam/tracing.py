# SPDX-License-Identifier: Apache-2.0
"""A call as spans, and the trace context and the reference's keys in its metadata.

`rpc.system` is `roam`; the other names are those of OpenTelemetry, and two of the reference's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from ..version import __version__
from . import metadata, wire_keys
from .metadata import SENSITIVE, Entry, Metadata
from .methods import Method
from .transports import Transport

_inbound: ContextVar[Metadata] = ContextVar("peeps_otel.roam.inbound", default=())
_TASK_NAME_MOST = 200


@contextmanager
def client_span(method: Method, conn_id: int, transport: Transport) -> Generator[Span]:
    """Round a call that is sent now. Ends as whatever is raised says."""
    facts = {**_of_method(method, conn_id, transport)}
    if transport.host:
        facts["server.address"] = transport.host
    if transport.port is not None:
        facts["server.port"] = transport.port
    with _span(f"{method.service}/{method.name}", SpanKind.CLIENT, facts, None) as span:
        yield span


@contextmanager
def server_span(method: Method, conn_id: int, transport: Transport, said: Metadata) -> Generator[Span]:
    """Round a handler, in its task; also what its own calls hand on."""
    carrier = {one.key: one.value for one in said if type(one.value) is str and not one.flags & SENSITIVE}
    facts = {**_of_method(method, conn_id, transport)}
    if transport.host:
        facts["client.address"] = transport.host
    token = _inbound.set(metadata.handed_on(said))
    try:
        with _span(
            f"{method.service}/{method.name}", SpanKind.SERVER, facts, propagate.extract(carrier, Context())
        ) as span:
            yield span
    finally:
        _inbound.reset(token)


def of_request(method: Method, span: Span, given: Metadata) -> Metadata:
    """What a request says: what the caller gave, the trace context, the reference's keys, and what the request that is
    being handled said to hand on."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier, trace.set_span_in_context(span))
    own = [Entry(key, value) for key, value in carrier.items()]
    own.append(Entry(wire_keys.METHOD_NAME, f"{method.service}.{method.name}"))
    task = asyncio.current_task()
    if task is not None:
        own.append(Entry(wire_keys.TASK_NAME, task.get_name()[:_TASK_NAME_MOST]))
    own += _ids(span)
    taken = {entry.key for entry in given}
    first = [*given, *(entry for entry in own if entry.key not in taken)]
    taken |= {entry.key for entry in own} | wire_keys.OF_ONE_CALL
    handed_on = tuple(entry for entry in _inbound.get() if entry.key not in taken)
    try:
        metadata.check((*first, *handed_on))
    except ValueError:
        return tuple(first)
    return (*first, *handed_on)


def _ids(span: Span) -> Iterator[Entry]:
    """The reference's ids are OpenTelemetry's here."""
    context = span.get_span_context()
    if not context.is_valid:
        return
    yield Entry(wire_keys.CHAIN, f"{context.trace_id:032x}")
    yield Entry(wire_keys.SPAN, f"{context.span_id:016x}")
    yield Entry(wire_keys.REQUEST_ENTITY, f"{context.trace_id:032x}-{context.span_id:016x}")
    parent = trace.get_current_span().get_span_context()
    if parent.is_valid:
        yield Entry(wire_keys.PARENT_SPAN, f"{parent.span_id:016x}")


def _of_method(method: Method, conn_id: int, transport: Transport) -> dict[str, Any]:
    return {
        "rpc.system": "roam",
        "rpc.service": method.service,
        "rpc.method": method.name,
        "network.peer.connection_id": conn_id,
        "network.transport": "pipe" if transport.name == "memory" else transport.name,
    }


@contextmanager
def _span(name: str, kind: SpanKind, facts: dict[str, Any], parent: Any) -> Generator[Span]:
    """A span that ends inside whatever is raised, so that a cancelled call is seen to be one."""
    tracer = trace.get_tracer("peeps_otel.roam", __version__)
    span = tracer.start_span(name, parent, kind, facts, record_exception=False, set_status_on_exception=False)
    token = otel_context.attach(trace.set_span_in_context(span, parent)) if kind is SpanKind.SERVER else None
    try:
        yield span
    except BaseException as error:
        span.set_attribute("error.type", type(error).__qualname__)
        span.set_status(Status(StatusCode.ERROR))
        span.end()
        raise
    else:
        span.end()
    finally:
        if token is not None:
            otel_context.detach(token)
