# SPDX-License-Identifier: Apache-2.0
"""What is read of a primitive at each look, whatever library it comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..model import AttributeValue, Confidence, Providers

TaskId = Callable[[Any], str | None]
"""The node id of a task; None for one that is not known."""


NOT_BEFORE = 1 << 63
"""In place of a time that is not known: later than any."""


class Held(NamedTuple):
    """A lock or permit in the hands of a task. `by_block`: inside `async with`, which will give it back. `exact`:
    `since_ns` was recorded; otherwise it is when the hold was first seen, which may have begun before, not after.
    `bare`: by an `acquire()` of its own, which may be meant as a signal or for somebody else to release."""

    task_id: str
    since_ns: int
    source: str
    by_block: bool
    confidence: Confidence
    exact: bool = False
    bare: bool = False


class Channel(NamedTuple):
    """The two ends of a queue or stream: who waits at which, and what only one of them shows."""

    putters: int
    getters: int
    of_tx: dict[str, AttributeValue]
    of_rx: dict[str, AttributeValue]


@dataclass(slots=True)
class State:
    """`holders`: those of a lock or of permits. `channel`: of a thing with two ends."""

    attributes: dict[str, AttributeValue]
    providers: Providers = Providers.OPEN
    holders: list[Held] = field(default_factory=list[Held])
    channel: Channel | None = None


def of_lock(holders: list[Held]) -> Providers:
    """One task inside `async with` gives the lock back, and nobody else can without breaking that block."""
    if not holders:
        return Providers.OPEN
    return Providers.CLOSED if len(holders) == 1 and holders[0].by_block else Providers.ESTIMATED


def of_permits(holders: list[Held], available: int | None, total: int | None, bounded: bool) -> Providers:
    """Who can give back a permit that somebody waits for."""
    if not holders or available is None or (total is not None and len(holders) < total - available):
        return Providers.OPEN  # somebody has a permit who is not known
    # A release too many makes a bounded semaphore's own block fail; a plain one may be released by anyone.
    sure = bounded and total is not None and all(held.by_block for held in holders)
    return Providers.CLOSED if sure else Providers.ESTIMATED
