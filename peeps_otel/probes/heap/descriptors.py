# SPDX-License-Identifier: Apache-2.0
"""Ends of connections and pipes that are known by their descriptor alone: everything that has it is as good."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..internals.descriptor_owners import found_by_descriptor
from .ender import Thing


def with_addresses(things: Sequence[Thing], objects: Iterable[Any]) -> list[Thing]:
    """The same things, with where those are that have a descriptor and no address. What no object has stays without."""
    wanted = {one.fd for one in things if one.fd is not None}
    found = found_by_descriptor(objects, wanted) if wanted else {}
    return [_with_address(one, found.get(one.fd, [])) if one.fd is not None else one for one in things]


def _with_address(thing: Thing, found: Sequence[Any]) -> Thing:
    type_name = type(found[0]).__name__ if found else ""
    return thing._replace(addresses=tuple(map(id, found)), type_name=type_name)
