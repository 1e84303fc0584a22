# SPDX-License-Identifier: Apache-2.0
"""What a provider returns is taken field by field: what is not as declared costs its own record, and is named."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from opentelemetry.trace import SpanContext

from peeps_otel.providers import (
    Channel,
    Completion,
    Connection,
    Peer,
    Queue,
    Request,
    RpcReport,
    Segment,
    Sensitive,
    ShmReport,
    Slots,
)
from peeps_otel.providers.reading import RECORDS_MOST, TEXT_MOST, WITHHELD, Malformed, Read, read


def read_now(report: object, kind: str = "rpc") -> Read:
    return read(report, kind, lambda: None)


class Traps:
    """Code of the program that must not run because we look."""

    def _trap(self, *_arguments: object) -> Any:
        raise AssertionError("code of the program has run")

    __repr__ = __str__ = __eq__ = __hash__ = __len__ = __iter__ = __bool__ = __getattr__ = _trap


WHOLE = RpcReport(
    connections=[
        Connection(id="c", peer="inventory", recent=(Completion(method="M", direction="out", duration_ns=5),))
    ],
    requests=(Request(id="1", method="Take", direction="out", connection="c", span=(7, 9)),),
    channels=[Channel(id="2", direction="in", credit=0)],
)


def test_a_report_that_is_as_declared_is_taken_as_it_is() -> None:
    taken = read_now(WHOLE)
    assert (taken.problems, taken.beyond) == ((), 0)
    assert taken.report == replace(WHOLE, connections=[WHOLE.connections[0]], requests=[WHOLE.requests[0]])


@pytest.mark.parametrize(
    "kind", [Connection, Completion, Request, Channel, Segment, Peer, Slots, Queue], ids=lambda kind: kind.__name__
)
def test_each_field_of_each_record_is_checked(kind: type[Any]) -> None:
    """An object with traps in any field is seen not to be as declared, and none of its code runs."""
    sound: dict[str, Any] = {one.name: _sound(str(one.type), one.name) for one in fields(kind)}
    name, of_kind = _row_of(kind)
    for one in fields(kind):
        if str(one.type) in ("Worker | None",):
            continue
        fields_: dict[str, Any] = sound | {one.name: Traps()}
        record = kind(**fields_)
        row: dict[str, Any] = {name: [Connection(id="c", recent=[record]) if kind is Completion else record]}
        taken = read_now(RpcReport(**row) if of_kind == "rpc" else ShmReport(**row), of_kind)
        assert len(taken.problems) == 1, one.name
        assert f"{one.name}: " in taken.problems[0]


def _sound(annotation: str, name: str) -> Any:
    if name == "source":
        return "a.py:1"
    values: dict[str, Any] = {"str": "x", "int": 1, "bool": True, "Span": (1, 2), "Worker": 1, "str | Sensitive": "x"}
    found = values.get(annotation.removesuffix(" | None"))
    if found is not None:
        return found
    return "in" if annotation.startswith("Literal") else {} if annotation.startswith("Mapping") else ()


def _row_of(kind: type[Any]) -> tuple[str, str]:
    rows = {
        Connection: ("connections", "rpc"),
        Completion: ("connections", "rpc"),
        Request: ("requests", "rpc"),
        Channel: ("channels", "rpc"),
        Segment: ("segments", "shm"),
        Peer: ("peers", "shm"),
        Slots: ("slots", "shm"),
        Queue: ("queues", "shm"),
    }
    return rows[kind]


def _request(**fields_: Any) -> Request:
    sound: dict[str, Any] = {"id": "1", "method": "M", "direction": "out"}
    return Request(**(sound | fields_))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (_request(started_ns=-1), "started_ns: a number below 0"),
        (_request(started_ns=1 << 63), "started_ns: a number below 0"),
        (_request(direction="sideways"), "direction: neither 'out' nor 'in'"),
        (_request(method=None), "method: NoneType, text is expected"),
        (_request(source="app.py"), "source: not `path:line`"),
        (_request(span=("a", "b")), "span: no span context"),
        (_request(attributes={1: 2}), "attributes: a key is int"),
        (_request(attributes={"a": 0.5}), "attributes: 'a' is float"),
        (object.__new__(Request), "id: is not set"),
        ({"id": "1"}, "dict, Request is expected"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_named_and_the_others_are_taken(wrong: Any, says: str) -> None:
    good = WHOLE.requests[0]
    taken = read_now(RpcReport(requests=[good, wrong]))
    assert [problem.startswith(f"requests[1]: {says}") for problem in taken.problems] == [True], taken.problems
    assert taken.report == RpcReport(requests=[good], connections=[], channels=[])


def test_what_is_no_report_of_its_kind_at_all() -> None:
    cases: tuple[tuple[Any, str, str], ...] = (
        (None, "rpc", "returned NoneType, RpcReport is expected"),
        (ShmReport(), "rpc", "returned ShmReport, RpcReport is expected"),
        (Traps(), "shm", "returned Traps, ShmReport is expected"),
        ({}, "bus", "returned dict, RpcReport or ShmReport is expected"),
    )
    for value, kind, says in cases:
        with pytest.raises(Malformed) as raised:
            read_now(value, kind)
        assert str(raised.value) == says
    assert read_now(ShmReport(), "bus").report == ShmReport(segments=[], peers=[], slots=[], queues=[])


def test_rows_that_are_none_and_two_of_one_id() -> None:
    taken = read_now(RpcReport(requests=Traps(), channels=[WHOLE.channels[0], WHOLE.channels[0]]))  # pyright: ignore[reportArgumentType]  # a wrong report on purpose
    assert taken.problems == (
        "requests: Traps, a list or tuple is expected",
        "channels[1]: there is another one of the same id",
    )


def test_no_more_is_taken_than_is_bearable() -> None:
    many = [Request(id=str(number), method="x" * 999, direction="out") for number in range(RECORDS_MOST + 7)]
    taken = read_now(RpcReport(requests=many))
    assert isinstance(taken.report, RpcReport)
    assert (len(taken.report.requests), taken.beyond) == (RECORDS_MOST, 7)
    assert {len(one.method) for one in taken.report.requests} == {TEXT_MOST}
    wrong = read_now(RpcReport(requests=[None] * 100))  # pyright: ignore[reportArgumentType]  # a wrong report on purpose
    assert len(wrong.problems) == 4
    assert wrong.problems[-1] == "and 97 more"


def test_what_is_sensitive_is_withheld() -> None:
    secret = Sensitive(Traps())
    request = Request(id="1", method="M", direction="out", arguments=secret, attributes={"token": secret, "a": 1})
    taken = read_now(RpcReport(requests=[request]))
    assert isinstance(taken.report, RpcReport)
    (read_,) = taken.report.requests
    assert (read_.arguments, read_.attributes) == (WITHHELD, {"token": WITHHELD, "a": 1})


def test_a_span_context_is_one_of_opentelemetry_or_a_pair() -> None:
    contexts: list[tuple[Any, Any]] = [(SpanContext(7, 9, False), (7, 9)), ((7, 9), (7, 9)), ((0, 0), None)]
    for context, known in contexts:
        taken = read_now(RpcReport(requests=[Request(id="1", method="M", direction="in", span=context)]))
        assert isinstance(taken.report, RpcReport)
        assert [one.span for one in taken.report.requests] == [known]
