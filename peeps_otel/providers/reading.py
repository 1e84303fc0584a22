# SPDX-License-Identifier: Apache-2.0
"""Reports as they come from the program, checked field by field: what is not as declared is left out and said.

Only exact types are read, so that no code of the program runs here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from typing import Any, NamedTuple, TypeVar, cast

from .database import DatabaseReport
from .rpc import Channel, Completion, Connection, Request, RpcReport, Sensitive
from .shm import Peer, Queue, Segment, ShmReport, Slots

WITHHELD = "(withheld)"
TEXT_MOST = 200
RECORDS_MOST = 1000
"""Of one sort in one report."""
_WORKERS_MOST = 100
_COMPLETIONS_MOST = 16
_PAIRS_MOST = 50
_INTEGER_MOST = (1 << 63) - 1
_SOME, _FEW = 5, 3

Record = TypeVar("Record")
Pause = Callable[[], None]


class Malformed(ValueError):
    """Says which field is not as declared."""


class Read(NamedTuple):
    """A report with what is as declared, what is wrong with the rest, and how many records were beyond the most."""

    report: RpcReport | ShmReport | DatabaseReport
    problems: tuple[str, ...]
    beyond: int


def _text(value: object) -> str:
    if type(value) is not str:
        raise Malformed(f"{_name(value)}, text is expected")
    return value[:TEXT_MOST]


def _whole(value: object) -> int:
    if type(value) is not int:
        raise Malformed(f"{_name(value)}, a whole number is expected")
    if not 0 <= value <= _INTEGER_MOST:
        raise Malformed("a number below 0 or above 2**63 - 1")
    return value


def _truth(value: object) -> bool:
    if type(value) is not bool:
        raise Malformed(f"{_name(value)}, True or False is expected")
    return value


def _direction(value: object) -> str:
    if type(value) is not str or value not in ("out", "in"):
        raise Malformed("neither 'out' nor 'in'")
    return value


def _place(value: object) -> str:
    text = _text(value)
    path, _, line = text.rpartition(":")
    if not path or not line.isdecimal():
        raise Malformed("not `path:line`")
    return text


def _arguments(value: object) -> str:
    return WITHHELD if type(value) is Sensitive else _text(value)


def _pairs(value: object) -> dict[str, Any]:
    if type(value) is not dict:
        raise Malformed(f"{_name(value)}, a dict is expected")
    found: dict[str, Any] = {}
    for key, item in list(cast("dict[object, object]", value).items())[:_PAIRS_MOST]:
        if type(key) is not str:
            raise Malformed(f"a key is {_name(key)}, text is expected")
        if type(item) is Sensitive:
            found[key[:TEXT_MOST]] = WITHHELD
        elif type(item) is str or type(item) is int or type(item) is bool:
            found[key[:TEXT_MOST]] = item[:TEXT_MOST] if type(item) is str else item
        elif item is not None:
            raise Malformed(f"{key[:TEXT_MOST]!r} is {_name(item)}; text, a whole number, True or False is expected")
    return found


def _workers(value: object) -> tuple[object, ...]:
    return tuple(one for one in _row(value)[:_WORKERS_MOST] if one is not None)


def _span(value: object) -> tuple[int, int] | None:
    """A `SpanContext` is a tuple that begins so. With a zero in it, it is no span."""
    if not issubclass(type(value), tuple):
        raise Malformed(f"{_name(value)}, a span context is expected")
    items: Any = tuple
    found: list[object] = [*items.__iter__(value), None, None]  # not one of a subclass
    trace_id, span_id = found[0], found[1]
    if type(trace_id) is not int or type(span_id) is not int:
        raise Malformed("no span context: trace id and span id are expected, as integers")
    return (trace_id, span_id) if trace_id and span_id else None


def _completions(value: object) -> tuple[Completion, ...]:
    return tuple(_record(one, Completion) for one in _row(value)[-_COMPLETIONS_MOST:])


def _anything(value: object) -> object:
    return value


_BY_TYPE: Mapping[str, Callable[[Any], Any]] = {
    "str": _text,
    "int": _whole,
    "bool": _truth,
    "Literal['out', 'in']": _direction,
    'Literal["out", "in"]': _direction,
    "str | Sensitive": _arguments,
    "Mapping[str, Value]": _pairs,
    "Sequence[Worker]": _workers,
    "Sequence[Completion]": _completions,
    "Worker": _anything,
    "Span": _span,
}
_BY_NAME: Mapping[str, Callable[[Any], Any]] = {"source": _place}
_OPTIONAL = " | None"


@cache
def _plan(kind: type[Any]) -> tuple[tuple[str, bool, Callable[[Any], Any]], ...]:
    """Of each field: its name, whether it may be None, and what reads it."""
    return tuple(
        (
            one.name,
            str(one.type).endswith(_OPTIONAL),
            _BY_NAME.get(one.name) or _BY_TYPE[str(one.type).removesuffix(_OPTIONAL)],
        )
        for one in fields(kind)
    )


def _record(value: object, kind: type[Record]) -> Record:
    if type(value) is not kind:
        raise Malformed(f"{_name(value)}, {kind.__name__} is expected")
    found: dict[str, Any] = {}
    for name, optional, read in _plan(kind):
        try:
            item: object = object.__getattribute__(value, name)
            found[name] = None if item is None and optional else read(item)
        except Malformed as malformed:
            raise Malformed(f"{name}: {malformed}") from None
        except AttributeError:
            raise Malformed(f"{name}: is not set") from None
    return kind(**found)


_Key = Callable[[Any], object]
_RPC: Mapping[str, tuple[type[Any], _Key]] = {
    "connections": (Connection, lambda one: one.id),
    "requests": (Request, lambda one: (one.connection, one.direction, one.id)),
    "channels": (Channel, lambda one: (one.connection, one.direction, one.id)),
}
_SHM: Mapping[str, tuple[type[Any], _Key]] = {
    "segments": (Segment, lambda one: one.name),
    "peers": (Peer, lambda one: (one.segment, one.id)),
    "slots": (Slots, lambda one: (one.segment, one.size)),
    "queues": (Queue, lambda one: (one.segment, one.name)),
}
_OF_KIND = {"rpc": (RpcReport,), "shm": (ShmReport,)}


def read(value: object, kind: str, pause: Pause) -> Read:
    """What a provider has returned. Raises Malformed where it is no report of its kind at all; a provider of a kind of
    the program's own may return either. `pause` is called now and then."""
    if type(value) is DatabaseReport:  # made by us
        return Read(value, (), 0)
    wanted = _OF_KIND.get(kind, (RpcReport, ShmReport))
    report = next((one for one in wanted if type(value) is one), None)
    if report is None:
        raise Malformed(f"returned {_name(value)}, {' or '.join(one.__name__ for one in wanted)} is expected")
    problems: list[str] = []
    rows: dict[str, list[Any]] = {}
    beyond = 0
    for name, (record, key) in (_RPC if report is RpcReport else _SHM).items():
        try:
            items = _row(object.__getattribute__(value, name))
        except (Malformed, AttributeError) as error:
            problems.append(f"{name}: {error if type(error) is Malformed else 'is not set'}")
            continue
        beyond += max(0, len(items) - RECORDS_MOST)
        rows[name] = _rows(items[:RECORDS_MOST], name, record, key, problems, pause)
    if len(problems) > _SOME:
        problems[_FEW:] = [f"and {len(problems) - _FEW} more"]
    return Read(report(**rows), tuple(problems), beyond)


def _rows(
    items: list[object], name: str, record: type[Record], key: _Key, problems: list[str], pause: Pause
) -> list[Record]:
    known: dict[object, Record] = {}
    for number, item in enumerate(items):
        if number % 50 == 0:
            pause()
        try:
            one = _record(item, record)
        except Malformed as malformed:
            problems.append(f"{name}[{number}]: {malformed}")
            continue
        if key(one) in known:
            problems.append(f"{name}[{number}]: there is another one of the same id")
        known.setdefault(key(one), one)
    return list(known.values())


def _row(value: object) -> list[object]:
    if type(value) is list or type(value) is tuple:
        return list(cast("list[object]", value))
    raise Malformed(f"{_name(value)}, a list or tuple is expected")


def _name(value: object) -> str:
    kind = type(value)
    return str(type.__dict__["__name__"].__get__(kind))[:TEXT_MOST]
