# SPDX-License-Identifier: Apache-2.0
"""A large OTLP/JSON request cut into small ones. Only its skeleton is read here; each part is parsed by itself."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

import orjson

from ..receive.encoding import Undecodable
from ..receive.request import Signal

# A token: a string, punctuation, a number or word; last, what is none, so that nothing is passed over.
# Possessive: a string without an end must not be tried again from each of its characters.
_TOKEN = re.compile(rb'\s*+("(?:[^"\\]++|\\.)*+"|[\[\]{}:,]|[^\s"\[\]{}:,]++|\Z|.)', re.DOTALL)
_STEPS = 5000
_PART_BYTES = 4 << 20  # of what is parsed in one go
_BLOCKS = {Signal.TRACES: "resourceSpans", Signal.LOGS: "resourceLogs", Signal.METRICS: "resourceMetrics"}
_SCOPES = {Signal.TRACES: "scopeSpans", Signal.LOGS: "scopeLogs", Signal.METRICS: "scopeMetrics"}
_RECORDS = {Signal.TRACES: "spans", Signal.LOGS: "logRecords", Signal.METRICS: "metrics"}
Steps = Generator[None, None, None]


@dataclass(slots=True)
class _Block:
    """Members that are handed on as they are, and elements of the list that is cut, all as bytes of JSON."""

    head: list[bytes] = field(default_factory=list[bytes])
    parts: list[bytes] = field(default_factory=list[bytes])
    blocks: list[_Block] = field(default_factory=lambda: [])


def json_slices(signal: Signal, body: bytes, most: int, most_bytes: int) -> Iterator[bytes | None]:
    """JSON requests of at most `most` records; None after a step that yielded nothing yet. Raises Undecodable."""
    scanner = _Scanner(body)
    request = _Block()
    yield from scanner.object(request, [_BLOCKS[signal], _SCOPES[signal], _RECORDS[signal]])
    scanner.end()
    for resource in request.blocks:
        for scope in resource.blocks or [_Block()]:
            start = 0
            while start == 0 or start < len(scope.parts):
                end, size = start, 0
                while end < len(scope.parts) and end - start < most and (end == start or size < most_bytes):
                    size += len(scope.parts[end])
                    end += 1
                yield _request(signal, resource, scope, scope.parts[start:end])
                start = max(end, 1)


def _request(signal: Signal, resource: _Block, scope: _Block, records: list[bytes]) -> bytes:
    inner = b",".join([*scope.head, _member(_RECORDS[signal], records)])
    outer = b",".join([*resource.head, _member(_SCOPES[signal], [b"{" + inner + b"}"])])
    return b"{" + _member(_BLOCKS[signal], [b"{" + outer + b"}"]) + b"}"


def _member(name: str, values: list[bytes]) -> bytes:
    return b'"' + name.encode() + b'":[' + b",".join(values) + b"]"


class _Scanner:
    """Reads the skeleton. Each method that walks is a generator that pauses now and then."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._position = 0
        self._steps = 0

    def end(self) -> None:
        if self._token():
            raise self._wrong("something after the end of the object")

    def object(self, block: _Block, names: list[str]) -> Steps:
        """An object; the list under names[0] is taken apart, the objects in it by the names after it."""
        self._expect(b"{")
        if self._peek() == b"}":
            self._token()
            return
        snake = re.sub("([A-Z])", lambda m: "_" + m[1].lower(), names[0])
        while True:
            key_start = self._position
            key = self._name()
            self._expect(b":")
            if key in {names[0], snake} and self._peek() == b"[":
                yield from self._list(block, names[1:])
            else:
                yield from self._skip()
                block.head.append(self._part(key_start))
            token = self._token()
            if token == b"}":
                return
            if token != b",":
                raise self._wrong("a comma is missing")

    def _list(self, block: _Block, names: list[str]) -> Steps:
        self._expect(b"[")
        if self._peek() == b"]":
            self._token()
            return
        while True:
            if names:
                inner = _Block()
                yield from self.object(inner, names)
                block.blocks.append(inner)
            else:
                start = self._position
                yield from self._skip()
                block.parts.append(self._part(start))
            if self._pause():
                yield
            token = self._token()
            if token == b"]":
                return
            if token != b",":
                raise self._wrong("a comma is missing")

    def _skip(self) -> Steps:
        """Over one value."""
        depth = 0
        while True:
            token = self._token()
            if token in {b"{", b"["}:
                depth += 1
            elif token in {b"}", b"]"}:
                depth -= 1
            elif not token or (not depth and token in {b":", b","}):
                raise self._wrong("a value is missing")
            if self._pause():
                yield
            if depth <= 0:
                return

    def _part(self, start: int) -> bytes:
        if self._position - start > _PART_BYTES:
            raise self._wrong(f"a part of {self._position - start} bytes; at most {_PART_BYTES} each")
        return self._body[start : self._position].strip()

    def _name(self) -> str:
        token = self._token()
        if not token.startswith(b'"'):
            raise self._wrong("the name of a member is missing")
        try:
            return str(orjson.loads(token))
        except orjson.JSONDecodeError:
            raise self._wrong("the name of a member is not a string") from None

    def _expect(self, wanted: bytes) -> None:
        if self._token() != wanted:
            raise self._wrong(f"{wanted.decode()} is missing")

    def _peek(self) -> bytes:
        position = self._position
        token = self._token()
        self._position = position
        return token

    def _token(self) -> bytes:
        match = _TOKEN.match(self._body, self._position)
        assert match is not None
        self._position = match.end()
        self._steps += 1
        token = match[1]
        if token == b'"':
            raise self._wrong("a string without an end")
        return token

    def _pause(self) -> bool:
        if self._steps < _STEPS:
            return False
        self._steps = 0
        return True

    def _wrong(self, what: str) -> Undecodable:
        return Undecodable(f"the body is not JSON of OTLP: {what} before byte {self._position}")
