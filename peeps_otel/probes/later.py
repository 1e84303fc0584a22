# SPDX-License-Identifier: Apache-2.0
"""A probe whose modules are loaded when there is something for it to see: most programs never need it, and its code
is memory of theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .context import ProbeContext
from .probe import Confirming, Keeping, Observation, Probe, Yield


class Installed(Protocol):
    """What of a probe has to be there before there is anything to see."""

    def install(self) -> None: ...

    def uninstall(self) -> None: ...


class LaterProbe:
    """A `Probe`. `wanted` is asked at each look until it says so; `make` is called then, on the watcher's thread: it
    loads the probe and makes it. That may put functions of its own in front of those that tell whose a task is: they
    come where this probe has its place among the others, not in front of all."""

    def __init__(
        self,
        name: str,
        context: ProbeContext,
        wanted: Callable[[], bool],
        make: Callable[[], Probe],
        installed: Installed | None = None,
    ) -> None:
        self.name = name
        self._context, self._wanted, self._make, self._installed = context, wanted, make, installed
        self._probe: Probe | None = None
        resources = context.resources
        self._before = self._now = resources.task_id, resources.task_at
        resources.task_id, resources.task_at = self._task_id, self._task_at

    @property
    def probe(self) -> Probe | None:
        """None: there was nothing for it to see so far."""
        return self._probe

    def install(self) -> None:
        if self._installed is not None:
            self._installed.install()

    def uninstall(self) -> None:
        for one in (self._probe, self._installed):
            if one is not None:
                one.uninstall()

    def observe(self, observation: Observation, now_ns: int, pause: Yield) -> None:
        if self._probe is None:
            if not self._wanted():
                return
            self._load()
        assert self._probe is not None
        self._probe.observe(observation, now_ns, pause)

    def confirm(self, observation: Observation, now_ns: int, pause: Yield) -> None:
        if isinstance(self._probe, Confirming):
            self._probe.confirm(observation, now_ns, pause)

    def forget(self) -> None:
        if isinstance(self._probe, Keeping):
            self._probe.forget()

    def _load(self) -> None:
        resources = self._context.resources
        first = resources.task_id, resources.task_at
        resources.task_id, resources.task_at = self._before
        try:
            self._probe = self._make()
            self._now = resources.task_id, resources.task_at
        finally:
            resources.task_id, resources.task_at = first

    def _task_id(self, task: object) -> str | None:
        return self._now[0](task)

    def _task_at(self, address: int) -> str | None:
        return self._now[1](address)
