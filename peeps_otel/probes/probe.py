# SPDX-License-Identifier: Apache-2.0
"""What one look at the process brings, and what a probe is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

from ..model import Edge, Node

Yield = Callable[[], None]
"""Called now and then during a look so that the program's threads may run."""


class EndedTask(NamedTuple):
    """A task that was there at the look before. It ended at some time between the two looks."""

    name: str
    source: str
    sequence: int
    created_ns: int
    last_seen_ns: int
    ended_before_ns: int


class ProviderFault(NamedTuple):
    """A registered provider that has not reported as it should."""

    provider: str
    kind: str
    reason: str


@dataclass(slots=True)
class Observation:
    """Everything there is at one look. Nodes and edge tuples that have not changed are the same objects as before."""

    nodes: dict[str, Node] = field(default_factory=dict[str, Node])
    edges: dict[str, tuple[Edge, ...]] = field(default_factory=dict[str, tuple[Edge, ...]])
    ended: list[EndedTask] = field(default_factory=list[EndedTask])
    coverage: list[str] = field(default_factory=list[str])
    shed: list[str] = field(default_factory=list[str])
    faults: list[ProviderFault] = field(default_factory=list[ProviderFault])


class Probe(Protocol):
    """Sees one runtime feature.

    `install` and `uninstall` from any thread, both idempotent; `observe` from one thread at a time (the watcher's).
    Nothing of the program is kept alive between two looks. A forked child gets new ones, with a new context, round the
    patches that are installed.
    """

    name: str

    def install(self) -> None: ...

    def uninstall(self) -> None: ...

    def observe(self, observation: Observation, now_ns: int, pause: Yield) -> None:
        """Adds its nodes and edges to what the probes before it have seen."""
        ...


@runtime_checkable
class Confirming(Protocol):
    """A probe that has a last word once everything has been read."""

    def confirm(self, observation: Observation, now_ns: int, pause: Yield, /) -> None:
        """Takes back what has gone on since it was read."""
        ...


@runtime_checkable
class Keeping(Protocol):
    """A probe that shows only what has changed where that will do."""

    def forget(self) -> None:
        """Its part of a look has failed: what it has shown so far may be as it was, or not."""
        ...
