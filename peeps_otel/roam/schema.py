# SPDX-License-Identifier: Apache-2.0
"""The types of arguments and results: how a value of each is written, read and signed.

A type is an object: `U32`, `List(STRING)`, `Struct({"x": I32, "y": I32})`. All of them are immutable but `Recursive`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, cast

from .postcard import DecodeError, Reader, write_blob, write_signed, write_string, write_unsigned

_BACK_REFERENCE = 0x32


class Schema(Protocol):
    """`write` raises ValueError, TypeError, KeyError or AttributeError for a value that is not of the type; `read`
    raises `DecodeError`. `sign` adds what counts for a method's id; `seen`: the ids of the structs and enums before."""

    def write(self, out: bytearray, value: Any) -> None: ...
    def read(self, reader: Reader) -> Any: ...
    def sign(self, out: bytearray, seen: set[int]) -> None: ...


def encode(schema: Schema, value: Any) -> bytes:
    """Raises ValueError for a value that is not of the type."""
    out = bytearray()
    try:
        schema.write(out, value)
    except (TypeError, KeyError, AttributeError, OverflowError, struct.error, RecursionError) as error:
        raise ValueError(f"a value of type {type(value).__name__} does not fit: {error}") from error
    return bytes(out)


def decode(schema: Schema, data: bytes) -> Any:
    """A value that takes all of `data`. Raises `DecodeError`."""
    reader = Reader(data)
    value = schema.read(reader)
    reader.finish()
    return value


@dataclass(frozen=True, slots=True)
class Primitive:
    """A type without parts. Its functions are given."""

    name: str
    tag: int
    writes: Callable[[bytearray, Any], None]
    reads: Callable[[Reader], Any]

    def write(self, out: bytearray, value: Any) -> None:
        self.writes(out, value)

    def read(self, reader: Reader) -> Any:
        return self.reads(reader)

    def sign(self, out: bytearray, seen: set[int]) -> None:
        out.append(self.tag)


def _unsigned(name: str, tag: int, bits: int) -> Primitive:
    return Primitive(name, tag, lambda out, v: write_unsigned(out, v, bits), lambda reader: reader.unsigned(bits))


def _signed(name: str, tag: int, bits: int) -> Primitive:
    return Primitive(name, tag, lambda out, v: write_signed(out, v, bits), lambda reader: reader.signed(bits))


def _packed(form: str) -> Callable[[bytearray, Any], None]:
    def write(out: bytearray, value: Any) -> None:
        out += struct.pack(form, value)

    return write


def _write_char(out: bytearray, value: str) -> None:
    if len(value) != 1:
        raise ValueError(f"{len(value)} characters where one is wanted")
    write_string(out, value)


def _read_char(reader: Reader) -> str:
    found = reader.string()
    if len(found) != 1:
        raise DecodeError(f"a char of {len(found)} characters")
    return found


def _read_i8(reader: Reader) -> int:
    return int.from_bytes(reader.take(1), "little", signed=True)


def _write_bool(out: bytearray, value: bool) -> None:
    out.append(1 if value else 0)


def _write_nothing(_out: bytearray, value: None) -> None:
    if value is not None:
        raise ValueError(f"{type(value).__name__} where nothing is wanted")


def _read_nothing(_reader: Reader) -> None:
    return None


BOOL = Primitive("bool", 0x01, _write_bool, Reader.boolean)
U8 = Primitive("u8", 0x02, _packed("<B"), Reader.byte)
U16 = _unsigned("u16", 0x03, 16)
U32 = _unsigned("u32", 0x04, 32)
U64 = _unsigned("u64", 0x05, 64)
U128 = _unsigned("u128", 0x06, 128)
I8 = Primitive("i8", 0x07, _packed("<b"), _read_i8)
I16 = _signed("i16", 0x08, 16)
I32 = _signed("i32", 0x09, 32)
I64 = _signed("i64", 0x0A, 64)
I128 = _signed("i128", 0x0B, 128)
F32 = Primitive("f32", 0x0C, _packed("<f"), Reader.f32)
F64 = Primitive("f64", 0x0D, _packed("<d"), Reader.f64)
CHAR = Primitive("char", 0x0E, _write_char, _read_char)
STRING = Primitive("string", 0x0F, write_string, Reader.string)
UNIT = Primitive("unit", 0x10, _write_nothing, _read_nothing)
BYTES = Primitive("bytes", 0x11, write_blob, Reader.blob)


@dataclass(frozen=True, slots=True)
class List:
    """A list; `List(U8)` is signed as `BYTES`, and written alike."""

    element: Schema

    def write(self, out: bytearray, value: Any) -> None:
        items = list(value)
        write_unsigned(out, len(items))
        for item in items:
            self.element.write(out, item)

    def read(self, reader: Reader) -> list[Any]:
        return [self.element.read(reader) for _ in range(reader.count())]

    def sign(self, out: bytearray, seen: set[int]) -> None:
        if self.element is U8:
            return BYTES.sign(out, seen)
        out.append(0x20)
        return self.element.sign(out, seen)


@dataclass(frozen=True, slots=True)
class Option:
    """None, or a value."""

    inner: Schema

    def write(self, out: bytearray, value: Any) -> None:
        out.append(value is not None)
        if value is not None:
            self.inner.write(out, value)

    def read(self, reader: Reader) -> Any:
        return self.inner.read(reader) if reader.boolean() else None

    def sign(self, out: bytearray, seen: set[int]) -> None:
        out.append(0x21)
        self.inner.sign(out, seen)


@dataclass(frozen=True, slots=True)
class Array:
    """A list of a known length, which is not written."""

    element: Schema
    length: int

    def write(self, out: bytearray, value: Any) -> None:
        items = list(value)
        if len(items) != self.length:
            raise ValueError(f"{len(items)} items where {self.length} are wanted")
        for item in items:
            self.element.write(out, item)

    def read(self, reader: Reader) -> list[Any]:
        reader.spend(self.length)
        return [self.element.read(reader) for _ in range(self.length)]

    def sign(self, out: bytearray, seen: set[int]) -> None:
        out.append(0x22)
        write_unsigned(out, self.length)
        self.element.sign(out, seen)


@dataclass(frozen=True, slots=True)
class Map:
    """A dict. Keys that are told twice: the last counts."""

    key: Schema
    value: Schema

    def write(self, out: bytearray, value: Any) -> None:
        write_unsigned(out, len(value))
        for key, item in cast("dict[Any, Any]", value).items():
            self.key.write(out, key)
            self.value.write(out, item)

    def read(self, reader: Reader) -> dict[Any, Any]:
        try:
            return {self.key.read(reader): self.value.read(reader) for _ in range(reader.count())}
        except TypeError as error:
            raise DecodeError(f"no key of a map: {error}") from error

    def sign(self, out: bytearray, seen: set[int]) -> None:
        out.append(0x23)
        self.key.sign(out, seen)
        self.value.sign(out, seen)


@dataclass(frozen=True, slots=True)
class Set:
    """A set, in no order."""

    element: Schema

    def write(self, out: bytearray, value: Any) -> None:
        write_unsigned(out, len(value))
        for item in value:
            self.element.write(out, item)

    def read(self, reader: Reader) -> set[Any]:
        try:
            return {self.element.read(reader) for _ in range(reader.count())}
        except TypeError as error:
            raise DecodeError(f"no element of a set: {error}") from error

    def sign(self, out: bytearray, seen: set[int]) -> None:
        out.append(0x24)
        self.element.sign(out, seen)


@dataclass(frozen=True, slots=True)
class Tuple:
    """Values of several types; the arguments of a method are one."""

    parts: tuple[Schema, ...]

    def write(self, out: bytearray, value: Any) -> None:
        items = tuple(value)
        if len(items) != len(self.parts):
            raise ValueError(f"{len(items)} values where {len(self.parts)} are wanted")
        for part, item in zip(self.parts, items, strict=True):
            part.write(out, item)

    def read(self, reader: Reader) -> tuple[Any, ...]:
        return tuple(part.read(reader) for part in self.parts)

    def sign(self, out: bytearray, seen: set[int]) -> None:
        out.append(0x25)
        write_unsigned(out, len(self.parts))
        for part in self.parts:
            part.sign(out, seen)


@dataclass(frozen=True, slots=True)
class Struct:
    """Named fields in order. A value is what `make` makes of them, by keyword; without it a dict."""

    fields: Mapping[str, Schema]
    make: Callable[..., Any] | None = None

    def write(self, out: bytearray, value: Any) -> None:
        known = isinstance(value, Mapping)
        if known and len(cast("Mapping[str, Any]", value)) != len(self.fields):
            raise ValueError(f"the fields are {', '.join(self.fields)}")
        for name, schema in self.fields.items():
            schema.write(out, value[name] if known else getattr(value, name))

    def read(self, reader: Reader) -> Any:
        found = {name: schema.read(reader) for name, schema in self.fields.items()}
        return found if self.make is None else self.make(**found)

    def sign(self, out: bytearray, seen: set[int]) -> None:
        if id(self) in seen:
            return out.append(_BACK_REFERENCE)
        seen.add(id(self))
        out.append(0x30)
        return self.sign_fields(out, seen)

    def sign_fields(self, out: bytearray, seen: set[int]) -> None:
        write_unsigned(out, len(self.fields))
        for name, schema in self.fields.items():
            write_string(out, name)
            schema.sign(out, seen)


class Variant(NamedTuple):
    """A value of an enum: which variant, and what it has."""

    name: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class Enum:
    """Variants in order; None for one that has nothing, else its type. Values are `Variant`s."""

    variants: Mapping[str, Schema | None]

    def write(self, out: bytearray, value: Any) -> None:
        name, content = value
        write_unsigned(out, list(self.variants).index(name), 32)
        schema = self.variants[name]
        if schema is not None:
            schema.write(out, content)

    def read(self, reader: Reader) -> Variant:
        number = reader.unsigned(32)
        if number >= len(self.variants):
            raise DecodeError(f"variant {number} of {len(self.variants)}")
        name = list(self.variants)[number]
        schema = self.variants[name]
        return Variant(name, None if schema is None else schema.read(reader))

    def sign(self, out: bytearray, seen: set[int]) -> None:
        if id(self) in seen:
            return out.append(_BACK_REFERENCE)
        seen.add(id(self))
        out.append(0x31)
        write_unsigned(out, len(self.variants))
        for name, schema in self.variants.items():
            write_string(out, name)
            if schema is None:
                out.append(0x00)
            elif type(schema) is Struct:
                out.append(0x02)
                schema.sign_fields(out, seen)
            else:
                out.append(0x01)
                schema.sign(out, seen)
        return None


@dataclass(slots=True)
class Recursive:
    """A type that contains itself: made first, `schema` is set when that can be written."""

    schema: Schema | None = field(default=None)

    def write(self, out: bytearray, value: Any) -> None:
        self._known().write(out, value)

    def read(self, reader: Reader) -> Any:
        reader.descend()
        found = self._known().read(reader)
        reader.depth -= 1
        return found

    def sign(self, out: bytearray, seen: set[int]) -> None:
        self._known().sign(out, seen)

    def _known(self) -> Schema:
        if self.schema is None:
            raise ValueError("a recursive type without its schema")
        return self.schema


def result(ok: Schema, error: Schema) -> Enum:
    """Rust's `Result`: `Variant("Ok", …)` or `Variant("Err", …)`."""
    return Enum({"Ok": ok, "Err": error})
