# SPDX-License-Identifier: Apache-2.0
"""The persistence boundary: `peeps.node`, `peeps.node.gone` and `peeps.finding` records become nodes and findings, or
are rejected with a message that names the process, the node, the field and what to do.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, TypeVar, cast

from peeps_otel import semconv
from peeps_otel.model import (
    AttributeValue,
    Confidence,
    Edge,
    EdgeKind,
    EvidenceStep,
    Finding,
    FindingKind,
    Frame,
    Level,
    Node,
    NodeKind,
    Providers,
    Site,
    Wait,
)
from peeps_otel.model.ulid import ulid_bytes

from .aliases import why_refused
from .values import json_text, whole

Attributes = dict[str, Any]
_E = TypeVar("_E", bound=StrEnum)

_FRAME = re.compile(r'^\s*File "(.*)"(?:, line (\d+))?, in (.*)$')
_SOURCE_TEXT_MOST = 4_000
_SOURCE_LINES_MOST = 20
_SOURCE = re.compile(r"^\s*\S.*:\d+\s*$", re.DOTALL)
_MODELLED = frozenset(
    {
        semconv.NODE_ID,
        semconv.NODE_KIND,
        semconv.NODE_NAME,
        semconv.CREATED_AT,
        semconv.SOURCE,
        semconv.CONFIDENCE,
        semconv.STATE,
        semconv.PROVIDERS,
        semconv.EDGES,
        semconv.WAIT_OPERATION,
        semconv.WAIT_SINCE,
        semconv.WAIT_SINCE_EXACT,
        semconv.WAIT_NEEDS,
        semconv.WAIT_DEADLINE,
        semconv.WAIT_SOURCE,
        semconv.TASK_STEPS,
        semconv.CODE_STACKTRACE,
        semconv.STACK_LIBRARIES,
        semconv.STREAM_ID,
        semconv.SEQUENCE,
    }
)
"""Attributes that have a field in the model; all others stay attributes of the node."""


class Rejected(ValueError):
    """The record is not stored. The message names the node, the field and what to do."""


def node_id_of(attributes: Attributes) -> str:
    """The checked `peeps.node.id`. Raises Rejected."""
    value = _text(attributes, semconv.NODE_ID, "set it to `kind:ULID`")
    kind, colon, ulid = value.partition(":")
    if not colon or kind not in set(NodeKind):
        raise Rejected(f"{semconv.NODE_ID}={value[:60]!r} is not `kind:ULID` with a known kind ({', '.join(NodeKind)})")
    try:
        ulid_bytes(ulid)
    except ValueError as error:
        raise Rejected(f"{semconv.NODE_ID}: {error}") from None
    return value


def node_of(attributes: Attributes) -> tuple[Node, list[Edge]]:
    """The node and its outgoing edges. Raises Rejected."""
    node_id = node_id_of(attributes)
    where = f"node {node_id}: "
    for key in attributes:
        if refused := why_refused(key):
            raise Rejected(where + refused)
    try:
        created_at = _time(attributes, semconv.CREATED_AT)
        source = _text(attributes, semconv.SOURCE, "set it to `path:line`")
        if not _SOURCE.match(source):
            raise Rejected(f"{semconv.SOURCE}={source[:80]!r} is not `path:line`")
        for key in (semconv.METHOD, semconv.CORRELATION):
            if key in attributes and not isinstance(attributes[key], str):
                raise Rejected(f"{key} is {_type(attributes[key])}; send a string or leave it out")
        kind = NodeKind(node_id.partition(":")[0])
        node = Node(
            id=node_id,
            kind=kind,
            name=_optional_text(attributes, semconv.NODE_NAME) or node_id,
            created_at=created_at,
            source=source,
            confidence=_enum(attributes, semconv.CONFIDENCE, Confidence) or Confidence.EXACT,
            state=_optional_text(attributes, semconv.STATE),
            providers=_enum(attributes, semconv.PROVIDERS, Providers),
            wait=_wait_of(attributes, source),
            stack=stack_of(attributes),
            steps=_optional_whole(attributes, semconv.TASK_STEPS),
            attributes={key: _flat(value) for key, value in attributes.items() if key not in _MODELLED},
        )
        return node, _edges_of(attributes, node_id)
    except Rejected as rejected:
        raise Rejected(where + str(rejected)) from None


def stack_of(attributes: Attributes) -> tuple[Frame, ...]:
    """The frames of `code.stacktrace`, outermost first; lines that are not frames are skipped. Whose they are is taken
    where it is told of each of them."""
    text = attributes.get(semconv.CODE_STACKTRACE)
    found = [m for line in text.splitlines() if (m := _FRAME.match(line))] if isinstance(text, str) else []
    told: object = attributes.get(semconv.STACK_LIBRARIES)
    libraries: list[object] = list(cast("list[object]", told)) if isinstance(told, list | tuple) else []
    if len(libraries) != len(found):
        libraries = [None] * len(found)
    return tuple(
        Frame(m[3].strip(), m[1], int(m[2]) if m[2] else None, library if isinstance(library, str) else None)
        for m, library in zip(found, libraries, strict=True)
    )


def position_of(attributes: Attributes) -> tuple[int | None, int | None]:
    """Which snapshot a record belongs to: stream id and sequence, None where it does not say. Raises Rejected."""
    stream = attributes.get(semconv.STREAM_ID)
    try:
        stream_id = None if stream is None else int(str(stream), 16)
    except ValueError:
        raise Rejected(f"{semconv.STREAM_ID}={str(stream)[:40]!r} is not a hexadecimal number") from None
    return stream_id, _optional_whole(attributes, semconv.SEQUENCE)


def finding_of(attributes: Attributes) -> tuple[Finding, int, str, str, str]:
    """The finding, how many are blocked behind it, its state, by whom it was refuted, its seal. Raises Rejected."""
    finding_id = _text(attributes, semconv.FINDING_ID, "set it to the finding's stable id")
    try:
        state = _text(attributes, semconv.FINDING_STATE, "set it to open, resolved or refuted")
        if state not in {semconv.FINDING_OPEN, semconv.FINDING_RESOLVED, semconv.FINDING_REFUTED}:
            raise Rejected(f"{semconv.FINDING_STATE}={state[:40]!r} is neither open nor resolved nor refuted")
        kind = _enum(attributes, semconv.FINDING_KIND, FindingKind)
        level = _enum(attributes, semconv.FINDING_LEVEL, Level)
        if kind is None or level is None:
            missing = semconv.FINDING_KIND if kind is None else semconv.FINDING_LEVEL
            raise Rejected(f"{missing} is missing")
        finding = Finding(
            id=finding_id,
            kind=kind,
            level=level,
            title=_text(attributes, semconv.FINDING_TITLE, "say in one sentence what is stuck"),
            since_ns=_time(attributes, semconv.FINDING_SINCE),
            core=_strings(attributes, semconv.FINDING_CORE),
            cycle=_strings(attributes, semconv.FINDING_CYCLE),
            evidence=_evidence(attributes),
            advice=_optional_text(attributes, semconv.FINDING_ADVICE) or "",
            blocked_sites=_sites(attributes),
            break_first=_optional_text(attributes, semconv.FINDING_BREAK_FIRST) or "",
            look_at=_optional_text(attributes, semconv.FINDING_LOOK_AT) or "",
            count=max(_optional_whole(attributes, semconv.FINDING_ALIKE_COUNT) or 1, 1),
            examples=_strings(attributes, semconv.FINDING_ALIKE_EXAMPLES),
        )
        refuted_by = _optional_text(attributes, semconv.FINDING_REFUTED_BY) or ""
        seal = _optional_text(attributes, semconv.FINDING_SEAL) or ""
        return finding, _optional_whole(attributes, semconv.FINDING_BLOCKED_COUNT) or 0, state, refuted_by, seal
    except Rejected as rejected:
        raise Rejected(f"finding {finding_id[:80]}: {rejected}") from None


def _wait_of(attributes: Attributes, source: str) -> Wait | None:
    operation = _optional_text(attributes, semconv.WAIT_OPERATION)
    if not operation:
        return None
    return Wait(
        operation=operation,
        since_ns=_time(attributes, semconv.WAIT_SINCE),
        source=_optional_text(attributes, semconv.WAIT_SOURCE) or source,
        needs=_optional_whole(attributes, semconv.WAIT_NEEDS) or 1,
        deadline_ns=_optional_whole(attributes, semconv.WAIT_DEADLINE) or None,
        exact=attributes.get(semconv.WAIT_SINCE_EXACT) is True,
    )


def _edges_of(attributes: Attributes, src: str) -> list[Edge]:
    edges: list[Edge] = []
    for position, item in enumerate(_maps(attributes, semconv.EDGES)):
        where = f"{semconv.EDGES}[{position}]"
        try:
            kind = _enum(item, "kind", EdgeKind)
            if kind is None:
                raise Rejected(f"kind is missing; use one of {', '.join(EdgeKind)}")
            edges.append(
                Edge(
                    kind=kind,
                    src=src,
                    dst=_text(item, "dst", "set it to the id of the other node"),
                    since_ns=_optional_whole(item, "since") or None,
                    source=_optional_text(item, "source") or None,
                    confidence=_enum(item, "confidence", Confidence) or Confidence.EXACT,
                    cancels=item.get("cancels") is True,
                    bare=item.get("bare") is True,
                )
            )
        except Rejected as rejected:
            raise Rejected(f"{where}: {rejected}") from None
    return edges


def cut_of(attributes: Attributes) -> tuple[str, dict[str, Any]]:
    """The request for a cut that a snapshot answers, and which it is. Raises Rejected."""
    stream_id, sequence = position_of(attributes)
    if stream_id is None or not sequence:
        missing = semconv.STREAM_ID if stream_id is None else semconv.SEQUENCE
        raise Rejected(f"{missing} is missing; say which snapshot was taken")
    answer = {"stream": f"{stream_id:016x}", "sequence": sequence, "time_ns": _time(attributes, semconv.CUT_TIME)}
    return _text(attributes, semconv.CUT_REQUEST, "set it to the id of the request"), answer


def looked_of(attributes: Attributes) -> tuple[str, dict[str, Any]]:
    """The request that a look answers, and what it says. Raises Rejected."""
    answer: dict[str, Any] = {
        "asked": _counted(attributes, semconv.LOOKED_ASKED, "set it to the number of things the heap was asked about"),
        "findings": _strings(attributes, semconv.LOOKED_FINDINGS),
        "not_asked": _optional_text(attributes, semconv.LOOKED_NOT_ASKED) or "",
    }
    return _text(attributes, semconv.LOOKED_REQUEST, "set it to the id of the request"), answer


def source_text_of(attributes: Attributes, body: object) -> tuple[str, int, str, str]:
    """A place, the number of its first line, the lines, the seal. Raises Rejected."""
    place = _text(attributes, semconv.SOURCE, "set it to path:line")
    first = _optional_whole(attributes, semconv.SOURCE_TEXT_FIRST)
    if not first or not place.rpartition(":")[2].isdecimal():
        raise Rejected(f"{semconv.SOURCE_TEXT_FIRST} is missing or {semconv.SOURCE} is not path:line; set both")
    if not isinstance(body, str) or len(body) > _SOURCE_TEXT_MOST or body.count("\n") >= _SOURCE_LINES_MOST:
        raise Rejected(f"the body is not a text of at most {_SOURCE_LINES_MOST} lines, {_SOURCE_TEXT_MOST} characters")
    return place, first, body, _optional_text(attributes, semconv.SOURCE_TEXT_SEAL) or ""


def leaks_of(attributes: Attributes) -> tuple[str, dict[str, Any]]:
    """The request that a leak check answers, and what it says. Raises Rejected."""
    answer: dict[str, Any] = {
        "tasks": _counted(attributes, semconv.LEAKS_TASKS, "set it to the number of leaked tasks"),
        "blocked": _counted(attributes, semconv.LEAKS_BLOCKED, "set it to the number of waiting tasks"),
        "objects": _counted(attributes, semconv.LEAKS_OBJECTS, "set it to the number of objects of the heap"),
        "duration_ns": _counted(attributes, semconv.LEAKS_DURATION, "set it in nanoseconds"),
        "findings": _strings(attributes, semconv.LEAKS_FINDINGS),
        "pause_ns": _optional_whole(attributes, semconv.LEAKS_PAUSE),
        "in_process": _optional_text(attributes, semconv.LEAKS_IN_PROCESS) or "",
        "not_run": _optional_text(attributes, semconv.LEAKS_NOT_RUN) or "",
    }
    return _text(attributes, semconv.LEAKS_REQUEST, "set it to the id of the request"), answer


def _evidence(attributes: Attributes) -> list[EvidenceStep]:
    links: list[EvidenceStep] = []
    for position, item in enumerate(_maps(attributes, semconv.FINDING_EVIDENCE)):
        try:
            links.append(
                EvidenceStep(
                    waiter=_text(item, "waiter", "set it to a node id"),
                    resource=_text(item, "resource", "set it to a node id"),
                    holder=_optional_text(item, "holder") or None,
                    since_ns=_optional_whole(item, "since_ns") or 0,
                    text=_optional_text(item, "text") or "",
                    wait_source=_optional_text(item, "wait_source") or "",
                    hold_since_ns=_optional_whole(item, "hold_since_ns") or None,
                    hold_source=_optional_text(item, "hold_source") or None,
                    holder_doing=_optional_text(item, "holder_doing") or "",
                )
            )
        except Rejected as rejected:
            raise Rejected(f"{semconv.FINDING_EVIDENCE}[{position}]: {rejected}") from None
    return links


def _sites(attributes: Attributes) -> list[Site]:
    sites: list[Site] = []
    for position, item in enumerate(_maps(attributes, semconv.FINDING_BLOCKED_SITES)):
        try:
            sites.append(
                Site(
                    source=_text(item, "source", "set it to path:line"),
                    count=_optional_whole(item, "count") or 0,
                    example=_optional_text(item, "example") or "",
                )
            )
        except Rejected as rejected:
            raise Rejected(f"{semconv.FINDING_BLOCKED_SITES}[{position}]: {rejected}") from None
    return sites


def _text(attributes: Attributes, key: str, advice: str) -> str:
    value = attributes.get(key)
    if value is None:
        raise Rejected(f"{key} is missing; {advice}")
    if not isinstance(value, str):
        raise Rejected(f"{key} is {_type(value)}, a string is expected; {advice}")
    if not value.strip():
        raise Rejected(f"{key} is blank; {advice}")
    return value


def _optional_text(attributes: Attributes, key: str) -> str | None:
    value = attributes.get(key)
    if value is not None and not isinstance(value, str):
        raise Rejected(f"{key} is {_type(value)}, a string is expected")
    return value


def _time(attributes: Attributes, key: str) -> int:
    value = attributes.get(key)
    if value is None:
        raise Rejected(f"{key} is missing; set it to a time in nanoseconds since the Unix epoch")
    number = whole(value)
    if number is None:
        raise Rejected(f"{key} is {_type(value)}, an integer is expected: nanoseconds since the Unix epoch")
    if number <= 0:
        raise Rejected(f"{key}={number} is not greater than 0; set it to nanoseconds since the Unix epoch")
    return number


def _counted(attributes: Attributes, key: str, advice: str) -> int:
    value = _optional_whole(attributes, key)
    if value is None:
        raise Rejected(f"{key} is missing; {advice}")
    return value


def _optional_whole(attributes: Attributes, key: str) -> int | None:
    value = attributes.get(key)
    if value is None:
        return None
    number = whole(value)
    if number is None or number < 0:
        raise Rejected(f"{key} is {_type(value)}, an integer of at least 0 is expected")
    return number


def _enum(attributes: Attributes, key: str, kind: type[_E]) -> _E | None:
    value = _optional_text(attributes, key)
    if not value:
        return None
    try:
        return kind(value)
    except ValueError:
        raise Rejected(f"{key}={value[:40]!r} is not one of {', '.join(kind)}") from None


def _strings(attributes: Attributes, key: str) -> list[str]:
    value = attributes.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in cast("list[Any]", value)):
        raise Rejected(f"{key} is {_type(value)}, an array of strings is expected")
    return cast("list[str]", value)


def _maps(attributes: Attributes, key: str) -> list[Attributes]:
    value = attributes.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in cast("list[Any]", value)):
        raise Rejected(f"{key} is {_type(value)}, an array of maps is expected")
    return cast("list[Attributes]", value)


def _flat(value: Any) -> AttributeValue:
    return value if isinstance(value, (str, int)) else json_text(value)


def _type(value: Any) -> str:
    names = {str: "a string", bool: "a bool", int: "an integer", float: "a double", bytes: "bytes", list: "an array"}
    name = names.get(cast("type[Any]", type(value)), "a map")
    return f"{name} ({str(value)[:40]})" if isinstance(value, (str, int, float)) else name
