# SPDX-License-Identifier: Apache-2.0
"""Locks that are no object of this process but something with a name: a key of a Redis, a file. Whoever takes one has
an object of his own for it; here all of these are one thing."""

from __future__ import annotations

from .. import semconv
from ..model import AttributeValue, Confidence, NodeKind, Providers
from ..model.operations import operation
from ..model.shared_key import ELSEWHERE, shared_key
from .namespaces import namespaces
from .resource_types import Around, Known, ResourceType, State

POLL = operation("lock.poll")
_KEPT_MOST = 500

Key = tuple[str, ...]


class NamedLock:
    """`type_name`: as of a `ResourceType`. `ends`: what else gives it back some day; empty: nothing that is known.
    `on_host`: its key means the same to the processes of this host alone. `shared`: somebody was seen to wait for it by
    the very object by which somebody else has it: in whose hands such an object is tells nothing then."""

    __slots__ = ("__weakref__", "ends", "key", "name", "on_host", "shared", "type_name")

    def __init__(self, key: Key, name: str, type_name: str, ends: str, on_host: bool) -> None:
        self.key, self.name, self.type_name, self.ends, self.on_host = key, name, type_name, ends, on_host
        self.shared = False


class NamedLocks:
    """For the watcher thread only. One object for each key, so that it is one node for all who want or have it."""

    def __init__(self) -> None:
        self._known: dict[Key, NamedLock] = {}

    def of(self, key: Key, name: str, type_name: str, ends: str = "", on_host: bool = True) -> NamedLock:
        known = self._known.pop(key, None)
        if known is None:
            if len(self._known) >= _KEPT_MOST:
                self._known.pop(next(iter(self._known)))
            known = NamedLock(key, name, type_name, ends, on_host)
        known.ends = known.ends or ends
        self._known[key] = known  # the last that was asked for
        return known


LOCKS = NamedLocks()


def _state(lock: NamedLock, around: Around) -> State:
    """Whoever is seen in its block has it, and gives it back; but anybody may take the key or file away. Without a
    block, who alone has the object in a variable by which it was taken."""
    holders = [held for held in around.on_stacks if not held.lent]
    if not holders and not lock.shared:
        holders = [held for held in around.on_stacks if held.confidence is Confidence.EXACT]
        holders = [held._replace(bare=True, confidence=Confidence.INFERRED) for held in holders]
        holders = holders if len(holders) == 1 else []
    if not holders:
        return State({semconv.COULD_END_OUTSIDE: lock.ends or ELSEWHERE})
    attributes: dict[str, AttributeValue] = {semconv.LOCK_LOCKED: True}
    if lock.ends:
        attributes[semconv.COULD_END_OUTSIDE] = lock.ends
    return State(attributes, Providers.ESTIMATED, holders)


def _called(lock: NamedLock) -> Known:
    key = shared_key((*lock.key, *(namespaces() if lock.on_host else ())), lock.on_host)
    return Known(lock.name, {semconv.RESOURCE_TYPE: lock.type_name, semconv.RESOURCE_KEY: key})


NAMED_LOCK = ResourceType(NamedLock, (NodeKind.LOCK,), _state, _called, while_used=True, by_handle=True)
