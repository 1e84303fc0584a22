# SPDX-License-Identifier: Apache-2.0
"""A mapping that stays as it is, from which another one is made at the cost of what is different in it."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import Any, TypeVar, overload

Value = TypeVar("Value")
Other = TypeVar("Other")
_GONE: Any = object()
_UNKNOWN: Any = object()
_CHANGES_LEAST = 1000


class Layers(Mapping[str, Value]):
    """What many of them share, and over it what is another here. `put`, `update` and `drop` are for who has made it,
    and may read it meanwhile, before anybody else knows it; from then on it may be read from any thread."""

    __slots__ = ("_base", "_over", "_size", "_whole")

    def __init__(self, base: dict[str, Value] | None = None) -> None:
        """`base` is not to be changed any more."""
        self._base: dict[str, Value] = base or {}
        self._over: dict[str, Value] = {}
        self._size = len(self._base)
        self._whole: dict[str, Value] | None = None

    def changed(self) -> Layers[Value]:
        """Another one, to be changed."""
        if len(self._over) > len(self._base) // 16 + _CHANGES_LEAST:
            return Layers(self._all())
        other: Layers[Value] = Layers(self._base)
        other._over, other._size = dict(self._over), self._size
        return other

    def put(self, key: str, value: Value) -> None:
        before = self._over.get(key, _UNKNOWN)
        if before is _GONE or (before is _UNKNOWN and key not in self._base):
            self._size += 1
        self._over[key] = value
        self._whole = None

    def update(self, other: dict[str, Value]) -> None:
        """`other` is not to be changed any more."""
        if not self._base and not self._over:
            self._base, self._size, self._whole = other, len(other), None
            return
        for key, value in other.items():
            self.put(key, value)

    def drop(self, key: str) -> None:
        """Raises KeyError."""
        if key not in self:
            raise KeyError(key)
        self._size -= 1
        self._over[key] = _GONE
        self._whole = None

    def __getitem__(self, key: str) -> Value:
        found: Any = self._over.get(key, _UNKNOWN)
        if found is _UNKNOWN:
            return self._base[key]
        if found is _GONE:
            raise KeyError(key)
        return found

    @overload
    def get(self, key: str, default: None = None, /) -> Value | None: ...
    @overload
    def get(self, key: str, default: Value | Other, /) -> Value | Other: ...
    def get(self, key: str, default: Any = None, /) -> Any:
        found = self._over.get(key, _UNKNOWN)
        if found is _UNKNOWN:
            return self._base.get(key, default)
        return default if found is _GONE else found

    def __contains__(self, key: object) -> bool:
        found = self._over.get(key, _UNKNOWN) if isinstance(key, str) else _GONE
        return key in self._base if found is _UNKNOWN else found is not _GONE

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def keys(self) -> KeysView[str]:
        return self._all().keys()

    def values(self) -> ValuesView[Value]:
        return self._all().values()

    def items(self) -> ItemsView[str, Value]:
        return self._all().items()

    def _all(self) -> dict[str, Value]:
        """In one piece, for who goes through it."""
        whole = self._whole
        if whole is None:
            whole = self._base
            if self._over:
                whole = whole | {key: value for key, value in self._over.items() if value is not _GONE}
                for key, value in self._over.items():
                    if value is _GONE:
                        whole.pop(key, None)
            self._whole = whole
        return whole
