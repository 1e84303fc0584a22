# SPDX-License-Identifier: Apache-2.0
"""By which names the program's code can come to use a thing.

A thing that only variables and attributes refer to can be come by in no other way than by code that loads one of their
names. One that is also in a list, a dictionary or the arguments of somebody has no name there: then nothing is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import (
    AsyncGeneratorType,
    BuiltinMethodType,
    CellType,
    CoroutineType,
    FunctionType,
    GeneratorType,
    MemberDescriptorType,
    MethodType,
    TracebackType,
)
from typing import Any, cast

from ..internals.heap import attribute, has_known_methods
from .actors import Actors
from .remaining_code import is_of_a_wait

_BOUND = (MethodType, BuiltinMethodType)
_SUSPENDED: tuple[type[Any], ...] = (CoroutineType, GeneratorType, AsyncGeneratorType)
_REFERRERS_MOST = 200


class Names:
    """For one picture. `into`: who refers to an object, by address, and how often; `at`: the object at an address."""

    def __init__(
        self, actors: Actors, into: Mapping[int, Mapping[int, int]], at: Callable[[int], object | None]
    ) -> None:
        self._actors, self._into, self._at = actors, into, at

    def of(self, address: int) -> frozenset[str] | None:
        """None: it may also be come by without a name."""
        thing = self._at(address)
        if thing is None or not has_known_methods(type(thing)):
            return None
        sources = self._into.get(address, {})
        if len(sources) > _REFERRERS_MOST:
            return None
        found: set[str] = set(self._actors.local_names.get(address, ()))
        for source in sources:
            if source in self._actors.hidden:
                continue
            names = self._names_at(source, address)
            if names is None:
                return None
            found.update(names)
        return frozenset(found)

    def _names_at(self, source: int, address: int) -> Iterable[str] | None:
        """Under which names this one has it."""
        holder = self._at(source)
        if holder is None:
            return None
        if type(holder) in _BOUND or type(holder) is TracebackType:
            return ()  # whoever has a method of it is asked for that (`armed`)
        if type(holder) in _SUSPENDED:
            return _of_frame(holder, address)
        if type(holder) is CellType:
            return self._of_cell(source, address)
        if type(holder) is dict:
            return self._of_dictionary(source, cast("dict[Any, Any]", holder), address)
        if type(holder) is not tuple:
            return _of_fields(holder, address) or None
        # What a thread was started with, it has in variables of its own.
        return () if source in self._actors.started_with else None

    def _of_dictionary(self, source: int, holder: dict[Any, Any], address: int) -> Iterable[str] | None:
        owners = (self._at(one) for one in self._into.get(source, {}))
        if source in self._actors.ground or any(_has_fields(one, holder) for one in owners):
            return _keys(holder, address) or None
        return None

    def _of_cell(self, source: int, address: int) -> Iterable[str] | None:
        found: set[str] = set()
        for one in self._into.get(source, {}):
            holder = self._at(one)
            if type(holder) in _SUSPENDED:
                found.update(_of_frame(holder, address))
            elif type(holder) is tuple:
                found.update(self._of_closure(one, source))
        return found or (() if address in self._actors.local_names else None)

    def _of_closure(self, closure: int, cell: int) -> Iterable[str]:
        for one in self._into.get(closure, {}):
            function = self._at(one)
            if type(function) is FunctionType and function.__closure__ is not None:
                yield from (
                    name
                    for name, had in zip(function.__code__.co_freevars, function.__closure__, strict=True)
                    if id(had) == cell
                )


def _of_frame(suspended: Any, address: int) -> Iterable[str]:
    frame = (
        suspended.cr_frame
        if type(suspended) is CoroutineType
        else suspended.gi_frame
        if type(suspended) is GeneratorType
        else suspended.ag_frame
    )
    if frame is None or is_of_a_wait(frame.f_code):
        return ()
    return [name for name, value in frame.f_locals.items() if id(value) == address]


def _has_fields(owner: object, fields: dict[Any, Any]) -> bool:
    """Whether these are its attributes. A class shows but a view of its own."""
    return attribute(owner, "__dict__") is fields or issubclass(type(owner), type)


def _of_fields(holder: object, address: int) -> list[str]:
    fields = attribute(holder, "__dict__")
    found = _keys(cast("dict[Any, Any]", fields), address) if type(fields) is dict else []
    for base in type.__getattribute__(type(holder), "__mro__"):
        for name, member in type.__getattribute__(base, "__dict__").items():
            if type(member) is MemberDescriptorType and _has(member, holder, address):
                found.append(name)
    return found


def _has(member: MemberDescriptorType, holder: object, address: int) -> bool:
    try:
        return id(member.__get__(holder)) == address
    except (AttributeError, TypeError):
        return False


def _keys(fields: Mapping[Any, Any], address: int) -> list[str]:
    return [name for name, value in fields.items() if type(name) is str and id(value) == address]
