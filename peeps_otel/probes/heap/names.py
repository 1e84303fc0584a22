# SPDX-License-Identifier: Apache-2.0
"""By which names the program's code can come to use a thing.

A thing that only variables and attributes refer to can be come by in no other way than by code that loads one of their
names. One that is also in a list, a dictionary or the arguments of somebody has no name there: then nothing is known.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.machinery import EXTENSION_SUFFIXES
from types import BuiltinMethodType, CellType, FunctionType, MemberDescriptorType, MethodType, TracebackType
from typing import Any, cast

from ..internals.await_chain import SUSPENDED, frame_of
from ..internals.heap import attribute, has_known_methods, home_of
from .actors import Actors
from .libraries import file_of
from .remaining_code import is_of_a_wait
from .uses import Known, Name, names_of

_BOUND = (MethodType, BuiltinMethodType)
_REFERRERS_MOST = 200


class Names:
    """For one picture. `into`: who refers to an object, by address, and how often; `at`: the object at an address;
    `is_followed`: whether the code of a file is looked into, and `is_home`: that of a module."""

    def __init__(
        self,
        actors: Actors,
        into: Mapping[int, Mapping[int, int]],
        at: Callable[[int], object | None],
        is_followed: Callable[[str], bool],
        is_home: Callable[[str], bool],
    ) -> None:
        self._actors, self._into, self._at = actors, into, at
        self._is_followed, self._is_home = is_followed, is_home

    def of(self, address: int) -> Known:
        """None: it may also be come by without a name."""
        thing = self._at(address)
        if thing is None or not has_known_methods(type(thing)):
            return None
        sources = self._into.get(address, {})
        if len(sources) > _REFERRERS_MOST:
            return None
        found: set[Name] = set()
        for name, code in self._actors.local_names.get(address, ()):
            if not self._is_followed(code.co_filename):
                return None
            found.add(Name(name, id(code)))
        for source in sources:
            if source in self._actors.hidden:
                continue
            names = self._names_at(source, address)
            if names is None:
                return None
            found.update(names)
        return frozenset(found)

    def _names_at(self, source: int, address: int) -> Iterable[Name] | None:
        """Under which names this one has it."""
        holder = self._at(source)
        if holder is None:
            return None
        if type(holder) in _BOUND or type(holder) is TracebackType:
            return ()  # whoever has a method of it is asked for that (`armed`)
        if type(holder) in SUSPENDED:
            return self._of_frame(holder, address)
        if type(holder) is CellType:
            return self._of_cell(source, address)
        if type(holder) is dict:
            return self._of_dictionary(source, cast("dict[Any, Any]", holder), address)
        if type(holder) is not tuple:
            return self._at_home(type(holder), _of_fields(holder, address))
        # What a thread was started with, it has in variables of its own.
        return () if source in self._actors.started_with else None

    def _of_dictionary(self, source: int, holder: dict[Any, Any], address: int) -> Iterable[Name] | None:
        names = _keys(holder, address)
        if source in self._actors.ground:
            module: object = holder.get("__name__")
            return None if type(module) is not str else self._at_home(None, names, module)
        for owner in map(self._at, self._into.get(source, {})):
            if issubclass(type(owner), type):  # a class shows but a view of its own
                return self._at_home(cast("type[Any]", owner), names)
            if attribute(owner, "__dict__") is holder:
                return self._at_home(type(owner), names)
        return None

    def _of_cell(self, source: int, address: int) -> Iterable[Name] | None:
        found: set[Name] = set()
        for one in self._into.get(source, {}):
            holder = self._at(one)
            if type(holder) in SUSPENDED:
                found.update(self._of_frame(holder, address) or ())
            elif type(holder) is tuple:
                found.update(self._of_closure(one, source))
        return found or (() if address in self._actors.local_names else None)

    def _of_closure(self, closure: int, cell: int) -> Iterable[Name]:
        for one in self._into.get(closure, {}):
            function = self._at(one)
            if type(function) is FunctionType and function.__closure__ is not None:
                yield from (
                    Name(name, id(function.__code__))
                    for name, had in zip(function.__code__.co_freevars, function.__closure__, strict=True)
                    if id(had) == cell
                )

    def _of_frame(self, suspended: Any, address: int) -> Iterable[Name] | None:
        frame = frame_of(suspended)
        if frame is None or is_of_a_wait(frame.f_code):
            return ()
        if not self._is_followed(frame.f_code.co_filename):
            return None
        return [Name(name, id(frame.f_code)) for name, value in frame.f_locals.items() if id(value) == address]

    def _at_home(self, kind: type[Any] | None, names: list[str], module: str = "") -> Iterable[Name] | None:
        """These, as what code knows them that knows the module, or that of the class or of one that it is made of."""
        bases: Iterable[type[Any]] = () if kind is None else type.__getattribute__(kind, "__mro__")
        known = [home for home in {*map(home_of, bases), module} if self._is_home(home)]
        if not names or not known or any(map(_is_compiled, known)):
            return None
        if any(not self._is_home(home_of(base)) and _uses_one_of(base, names) for base in bases):
            return None  # an attribute of `threading.Thread`, say, in a class that is made of it
        return [Name(name, home) for name in names for home in known]


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


def _uses_one_of(kind: type[Any], names: list[str]) -> bool:
    members: Iterable[object] = type.__getattribute__(kind, "__dict__").values()
    return any(type(one) is FunctionType and not {*names}.isdisjoint(names_of(one.__code__)) for one in members)


def _is_compiled(module: str) -> bool:
    """Whether its functions show no names: what they do with their attributes is not seen."""
    file = file_of(sys.modules.get(module))
    return file is not None and file.endswith(tuple(EXTENSION_SUFFIXES))
