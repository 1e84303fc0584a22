# SPDX-License-Identifier: Apache-2.0
"""Which objects of the program the nodes of a look stand for: where a question to the heap begins and ends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, cast
from weakref import ref

from ..asyncio.probe import AsyncioProbe
from ..composite import CompositeProbe
from ..later import LaterProbe

if TYPE_CHECKING:
    from ..trio.probe import TrioProbe


class NodeObjects:
    """For the watcher thread only; a thread of ours may call `task_nodes`."""

    def __init__(self, probes: CompositeProbe, tasks: AsyncioProbe, trio: LaterProbe | None = None) -> None:
        """`trio`: the probe of Trio's tasks."""
        self._probes, self._tasks, self._later_trio = probes, tasks, trio

    @property
    def _trio(self) -> TrioProbe | None:
        return None if self._later_trio is None else cast("TrioProbe | None", self._later_trio.probe)

    def things(self, wanted: AbstractSet[str]) -> dict[str, Any]:
        """The object of each of these resource nodes that still lives. Let go of them at once."""
        context = self._probes.context
        return context.resources.things(wanted) | context.futures.things(wanted)

    def descriptors(self) -> dict[str, int]:
        """By node: the descriptors of the ends of connections that somebody in another process waits for."""
        return self._probes.context.resources.flows.ends.descriptors()

    def task_nodes(self, addresses: AbstractSet[int]) -> dict[int, str]:
        """The node of each task that was met at one of these addresses and still lives."""
        of_trio = {} if self._trio is None else self._trio.task_nodes(addresses)
        return self._tasks.task_nodes(addresses) | of_trio

    def thread_nodes(self) -> Mapping[int, str]:
        """The node of each thread, by ident."""
        return self._probes.context.thread_nodes()

    def tasks(self, wanted: AbstractSet[str]) -> dict[str, ref[asyncio.Task[Any]]]:
        """The task of asyncio that each of these nodes stands for."""
        return self._tasks.references(wanted)

    def any_tasks(self, wanted: AbstractSet[str]) -> dict[str, ref[Any]]:
        """The task that each of these nodes stands for, of Trio too."""
        return {**self._tasks.references(wanted), **({} if self._trio is None else self._trio.references(wanted))}

    def addresses(self, wanted: AbstractSet[str]) -> dict[str, int]:
        """Where the task or resource of each of these nodes is in memory, if it still lives."""
        found = {node_id: id(thing) for node_id, thing in self.things(wanted).items()}
        of_trio = {} if self._trio is None else self._trio.references(wanted)
        for node_id, reference in (self.tasks(wanted) | of_trio).items():
            task = reference()
            if task is not None:
                found[node_id] = id(task)
        return found
