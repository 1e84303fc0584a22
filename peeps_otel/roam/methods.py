# SPDX-License-Identifier: Apache-2.0
"""A method of a service: its types, and the 64-bit number by which requests name it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, ClassVar

from . import schema
from .blake3 import blake3
from .postcard import Reader, write_unsigned
from .schema import UNIT, Schema

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[_\s]+")


@dataclass(frozen=True, slots=True)
class _ChannelEnd:
    """An argument that is a channel: on the wire its id."""

    element: Schema
    tag: ClassVar[int]

    def write(self, out: bytearray, value: Any) -> None:
        write_unsigned(out, value)

    def read(self, reader: Reader) -> int:
        return reader.unsigned()

    def sign(self, out: bytearray, seen: set[int]) -> None:
        out.append(self.tag)
        self.element.sign(out, seen)


@dataclass(frozen=True, slots=True)
class Rx(_ChannelEnd):
    """By which the handler receives: the caller sends."""

    tag = 0x27


@dataclass(frozen=True, slots=True)
class Tx(_ChannelEnd):
    """By which the handler sends: the caller receives."""

    tag = 0x26


@dataclass(frozen=True, slots=True)
class Method:
    """What both sides must agree on. `error`: of a method that may fail with a value of its own.

    `id` follows from the rest; a peer that counts it in another way is served by giving it.
    """

    service: str
    name: str
    arguments: tuple[Schema, ...] = ()
    returns: Schema = UNIT
    error: Schema | None = None
    id: int = field(default=-1)

    def __post_init__(self) -> None:
        if self.id < 0:
            object.__setattr__(self, "id", method_id(self.service, self.name, self.signature()))

    def signature(self) -> bytes:
        """What the id is made of beside the names. A type that is met again within one argument is a back reference,
        and what may fail is signed as nothing: so the reference does it."""
        out = bytearray((0x25,))
        write_unsigned(out, len(self.arguments))
        for argument in self.arguments:
            argument.sign(out, set())
        (UNIT if self.error is not None else self.returns).sign(out, set())
        return bytes(out)

    def encode_arguments(self, values: tuple[Any, ...]) -> bytes:
        """Raises ValueError for values that are not of the arguments' types."""
        named = f"{self.service}.{self.name}"
        if len(values) != len(self.arguments):
            raise ValueError(f"{named} takes {len(self.arguments)} arguments, not {len(values)}")
        out = bytearray()
        for number, (kind, value) in enumerate(zip(self.arguments, values, strict=True), 1):
            try:
                out += schema.encode(kind, value)
            except ValueError as error:
                raise ValueError(f"{named}, argument {number}: {error}") from error
        return bytes(out)

    def decode_arguments(self, payload: bytes) -> tuple[Any, ...]:
        """Raises `DecodeError`."""
        found: tuple[Any, ...] = schema.decode(schema.Tuple(self.arguments), payload)
        return found


def method_id(service: str, name: str, signature: bytes) -> int:
    """`signature`: the encoded types, not their hash."""
    words = f"{kebab(service)}.{kebab(name)}".encode()
    return int.from_bytes(blake3(words + blake3(signature))[:8], "little")


def kebab(name: str) -> str:
    """`TemplateHost` and `template_host` are `template-host`."""
    return "-".join(part for part in _HUMP.sub(" ", name).lower().replace("-", " ").split())
