# SPDX-License-Identifier: Apache-2.0
"""Who takes one thing after another in a loop, and stands at its beginning: a worker with nothing to do."""

from __future__ import annotations

from collections.abc import Iterable, Set

from ..poll_loops import poll_loops
from ..source import own_code
from .actors import Actors
from .ender import Key
from .remaining_code import Place


def consumers_among(actors: Actors, keys: Set[Key]) -> list[Key]:
    """Those of these tasks and threads that wait for the first thing that a turn of their loop waits for."""
    found: list[Key] = []
    known: dict[tuple[int, int], bool] = {}
    for key in sorted(keys, key=str):
        actor = actors.by_key.get(key)
        if actor is not None and actor.waits and key.kind in ("task", "thread"):
            innermost_first = actor.places if key.kind == "thread" else reversed(actor.places)
            if _begins_a_turn(innermost_first, known):
                found.append(key)
    return found


def _begins_a_turn(places: Iterable[Place], known: dict[tuple[int, int], bool]) -> bool:
    """By the innermost function that is the program's own. `known`: of places that were asked about."""
    for code, last in places:
        if own_code.is_own(code.co_filename):
            found = known.get((id(code), last))
            if found is None:
                found = known[id(code), last] = last >= 0 and poll_loops(code).begins_at(last)
            return found
    return False
