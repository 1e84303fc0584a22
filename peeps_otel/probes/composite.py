# SPDX-License-Identifier: Apache-2.0
"""All probes of a process as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .. import native
from ..own_log import OwnLog
from .context import ProbeContext
from .kept import Kept
from .patches.source_patch import forget_sources
from .probe import Confirming, Keeping, Observation, Probe, Yield

_logger = OwnLog()


class CompositeProbe:
    """Looks through one probe after the other; a later one sees what the earlier ones have found.

    A probe that fails costs its own part of one look, which then says so. `install`, `uninstall`: any thread; the rest
    as in `Probe`. `context`: what the probes share; they were made with it.
    """

    def __init__(self, probes: Sequence[Probe], context: ProbeContext) -> None:
        self._probes = probes
        self.context = context
        self._complained: set[str] = set()

    def install(self) -> None:
        for probe in self._probes:
            probe.install()
        forget_sources()

    def uninstall(self) -> None:
        for probe in reversed(self._probes):
            probe.uninstall()

    def look(self, now_ns: int, pause: Yield = lambda: native.sleep(0), onto: Observation | None = None) -> Observation:
        """`onto`: an observation with the `Kept` nodes and edges of the look before."""
        observation = Observation() if onto is None else onto
        for kept in (observation.nodes, observation.edges):
            if isinstance(kept, Kept):
                kept.begin()
        resources = self.context.resources
        resources.begin()
        steps: list[tuple[str, Callable[[Observation, int, Yield], None], object]] = [
            *((probe.name, probe.observe, probe) for probe in self._probes),
            ("resources", resources.show, resources),
            *((probe.name, probe.confirm, None) for probe in self._probes if isinstance(probe, Confirming)),
        ]
        for name, observe, owner in steps:
            try:
                observe(observation, now_ns, pause)
            except Exception as error:
                if isinstance(owner, Keeping):
                    owner.forget()
                observation.coverage.append(f"{name}: not seen in this look: {type(error).__name__}")
                if name not in self._complained:
                    self._complained.add(name)
                    _logger.warning("peeps: probe %s failed; the program is not affected", name, exc_info=True)
        return observation
