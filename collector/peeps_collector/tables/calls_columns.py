# SPDX-License-Identifier: Apache-2.0
"""Requests in flight as rows: the two ends of each, and how far they have found each other."""

from __future__ import annotations

from collections.abc import Iterator

from peeps_otel import semconv
from peeps_otel.diagnosis.wording import label
from peeps_otel.model import Node, own_line

from ..api.calls import Call, calls
from .column import Column, Fold, Type, Value
from .moment import Moment, Subject


def call_subjects(moment: Moment) -> Iterator[Subject]:
    for call in calls(moment.view):
        end = _end(call)
        yield Subject(end.id, moment.view.owner[end.id], end, call)


def _end(call: Call) -> Node:
    end = call.request or call.response
    assert end is not None
    return end


def _call(subject: Subject) -> Call:
    assert subject.call is not None
    return subject.call


def _state(moment: Moment, subject: Subject) -> Value:
    call = _call(subject)
    if any(one is not None and one.id in moment.stuck for one in call):
        return "stuck"
    return _end(call).state


def _join(_: Moment, subject: Subject) -> Value:
    join = _end(_call(subject)).attributes.get(semconv.RPC_JOIN)
    return str(join) if join else None


def _method(_: Moment, subject: Subject) -> Value:
    end = _end(_call(subject))
    return str(end.attributes.get(semconv.METHOD) or end.name)


def _service(_: Moment, subject: Subject) -> Value:
    """Where it went: the service where that is known, else the address."""
    request = _call(subject).request
    if request is None:
        return None
    said = request.attributes.get(semconv.RPC_SERVICE) or request.attributes.get(semconv.SERVER_ADDRESS)
    return str(said) if said else None


def _waiter(_: Moment, subject: Subject) -> Value:
    waiter = _call(subject).waiter
    return None if waiter is None else label(waiter)


def _handler(_: Moment, subject: Subject) -> Value:
    handler = _call(subject).handler
    return None if handler is None else label(handler)


def _site(_: Moment, subject: Subject) -> Value:
    """Where the handler is; where nobody is seen to handle it, where it is waited for."""
    call = _call(subject)
    one = call.handler or call.waiter
    if one is None:
        return None
    if one.wait is not None and one.wait.source:
        return one.wait.source
    return own_line.source(own_line.innermost(one.stack)) or None


def _handled_in(moment: Moment, subject: Subject) -> Value:
    response = _call(subject).response
    return None if response is None else moment.process_name(moment.view.owner[response.id])


def _asked_in(moment: Moment, subject: Subject) -> Value:
    request = _call(subject).request
    return None if request is None else moment.process_name(moment.view.owner[request.id])


CALL_COLUMNS = (
    Column("state", "state", Type.TEXT, _state),
    Column("method", "request", Type.TEXT, _method),
    Column("age", "for", Type.SINCE, lambda _, s: _call(s).since_ns),
    Column("join", "the two ends", Type.TEXT, _join),
    Column("process", "asked by", Type.TEXT, _asked_in),
    Column("waiter", "who waits", Type.TEXT, _waiter),
    Column("service", "sent to", Type.TEXT, _service),
    Column("handled", "handled in", Type.TEXT, _handled_in),
    Column("handler", "by", Type.TEXT, _handler),
    Column("site", "which is at", Type.PLACE, _site),
    Column("id", "id", Type.TEXT, lambda _, s: s.id, Fold.FIRST, is_shown=False),
    Column("kind", "kind", Type.TEXT, lambda _, s: _end(_call(s)).kind.value, is_shown=False),
)
