# SPDX-License-Identifier: Apache-2.0
"""Everything that leads to some things, by references and weak references, up to where one stops."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from .picture import Picture

_OBJECTS_MOST = 200_000  # on the way, for all things together
_LAYERS_MOST = 200


class Closure(NamedTuple):
    """All by address. `into`: of a target, those who refer to it, the last one first, with how often. `weakly_into`:
    the weak references to it. `position`: where in the picture those are that were met by a reference. `cut`: what was
    not followed to its end."""

    into: dict[int, dict[int, int]]
    weakly_into: dict[int, list[int]]
    position: dict[int, int]
    cut: set[int]


def leading_to(
    picture: Picture, things: AbstractSet[int], stops: Sequence[Collection[int]], pause: Callable[[], None]
) -> Closure:
    """Layer by layer back from the addresses `things`; not further than to one that is in any of `stops`."""
    if picture.native is not None:
        return Closure(*picture.native.leading_to(things, stops, _LAYERS_MOST, _OBJECTS_MOST))
    return _closed(picture, things, stops, pause)


def _closed(
    picture: Picture, things: AbstractSet[int], stops: Sequence[Collection[int]], pause: Callable[[], None]
) -> Closure:
    found = Closure({}, {}, picture.positions(things), set())
    frontier, seen = set(things), set(things)
    for _ in range(_LAYERS_MOST):
        if not frontier:
            return found
        following: set[int] = set()
        for place, target in picture.referrers(frontier):
            source = picture.address(place)
            sources = found.into.setdefault(target, {})
            sources[source] = sources.get(source, 0) + 1
            found.position[source] = place
            if source not in seen:
                seen.add(source)
                if not any(source in group for group in stops):
                    following.add(source)
        _add_weak(picture, found, frontier, seen, following)
        pause()
        if len(seen) > _OBJECTS_MOST:
            break
        frontier = following
    found.cut.update(frontier)
    return found


def _add_weak(picture: Picture, found: Closure, frontier: set[int], seen: set[int], following: set[int]) -> None:
    for address in frontier:
        place = found.position.get(address)
        if place is None:
            continue
        for reference in weakref.getweakrefs(picture.objects[place]):
            found.weakly_into.setdefault(address, []).append(id(reference))
            if id(reference) not in seen:
                seen.add(id(reference))
                following.add(id(reference))
