# SPDX-License-Identifier: Apache-2.0
"""The part that looks, put together: what is rewritten in the program, the probes, the watcher and its rules.

Needs nothing but the standard library, and knows nothing of where the results go.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import native
from .config import Config
from .diagnosis.rules.nothing_moves import NothingMoves
from .model import FindingKind
from .probes.asyncio.probe import AsyncioProbe
from .probes.composite import CompositeProbe
from .probes.context import ProbeContext
from .probes.deaths.probe import Deaths, Ledger
from .probes.flows import Flows
from .probes.heap import native_reader
from .probes.heap.objects import NodeObjects
from .probes.inherited import ThreadHold
from .probes.later import LaterProbe
from .probes.patches.asyncio_runtime import AsyncioPatch
from .probes.patches.gevent_spawn import SpawnedGreenlets
from .probes.patches.lock_order import LockOrderRecorder
from .probes.patches.loop_errors import LoopErrorPatch, LoopErrors
from .probes.patches.recorder import Recorder
from .probes.patches.step_timer import StepTimer
from .probes.patches.thread_death import ThreadDeathPatch
from .probes.probe import Probe
from .probes.runtime import is_complete
from .probes.source import own_code
from .probes.source.ownership import Ownership
from .probes.threads.probe import ThreadProbe
from .watcher.heap_question import HeapQuestion
from .watcher.interfaces import LookConsumer
from .watcher.leak_check import LeakCheck
from .watcher.order_rule import OrderRule, read_suppressions
from .watcher.standstill import Standstill
from .watcher.thread import Watcher
from .watcher.within import Within

_NEVER_NS = 1 << 62


class Patches:
    """What is in the program for good, once per process image, and what it writes down. The probes install it.
    `uninstall` from any thread."""

    def __init__(self, config: Config) -> None:
        self.ownership = Ownership(own=config.own, library=config.library)
        own_code.decide_by(self.ownership)
        self.recorder = Recorder(config.span_wait_ms * 1_000_000 or _NEVER_NS)
        self.asyncio = AsyncioPatch(self.recorder)
        self.deaths = Ledger()
        self.loop_errors = LoopErrorPatch(self.deaths)
        self.thread_deaths = ThreadDeathPatch(self.deaths) if config.probe_threads else None
        self.greenlets = SpawnedGreenlets()
        self.step_timer = StepTimer()
        self.lock_order = LockOrderRecorder() if config.lock_order else None

    def uninstall(self) -> None:
        """Leaves every function of the standard library as it was."""
        if self.lock_order is not None:
            self.lock_order.uninstall()
        for patch in (self.step_timer, self.greenlets, self.loop_errors, self.thread_deaths, self.asyncio):
            if patch is not None:
                patch.uninstall()

    def after_fork_in_child(self) -> None:
        """What the parent's tasks and loops have told is not ours to tell."""
        self.recorder.long_waits.clear()
        self.loop_errors.heard.clear()
        self.deaths.clear()
        if self.lock_order is not None:
            self.lock_order.take()


def _trio(context: ProbeContext) -> LaterProbe:
    """After that of asyncio: both tell whose a task is."""

    def make() -> Probe:
        return native.importing.load(f"{__package__}.probes.trio.probe").TrioProbe(context)

    return LaterProbe("trio", context, lambda: is_complete("trio"), make)


def _greenlets(context: ProbeContext, patches: Patches) -> LaterProbe:
    """After those of asyncio and Trio, and before that of threads: all tell whose a task is."""

    def make() -> Probe:
        return native.importing.load(f"{__package__}.probes.gevent.probe").GeventProbe(context, patches.greenlets)

    return LaterProbe("gevent", context, lambda: is_complete("gevent"), make, patches.greenlets)


class Looking:
    """Of one process: a forked child has others. `more`: probes that see other things than tasks and threads."""

    def __init__(
        self, config: Config, patches: Patches, sink: LookConsumer, context: ProbeContext, more: Sequence[Probe] = ()
    ) -> None:
        context.failed = patches.deaths.report
        self._patches = patches
        asyncio_probe = AsyncioProbe(patches.recorder, context=context, patch=patches.asyncio)
        self._threads = ThreadProbe(context, patches.thread_deaths) if config.probe_threads else None
        probes: list[Probe] = [asyncio_probe, LoopErrors(context, patches.loop_errors)] if config.probe_asyncio else []
        trio_probe = _trio(context)
        probes += [trio_probe] if config.probe_asyncio else []
        probes += [_greenlets(context, patches)] if config.probe_threads else []
        probes += [patches.step_timer] if config.diagnostics else []
        probes += [] if self._threads is None else [self._threads]
        probes += [*more, Deaths(context, patches.deaths, config.exception_messages)]
        self.probes = CompositeProbe(probes, context)
        self.leaks = LeakCheck(asyncio_probe.node_id, config.leaks_every_s, lambda: self.watcher.deadlocked)
        self.watcher = Watcher(
            self.probes,
            patches.recorder,
            sink,
            interval_ns=config.interval_ms * 1_000_000,
            key_frame_ns=config.key_frame_s * 1_000_000_000,
            settings=config.rules.starved_after(config.starved_ms * 1_000_000),
            tasks=asyncio_probe,
            sample_ns=1_000_000_000 // config.sample_hz if config.sample_hz else 0,
            cpu_percent=config.cpu_budget_percent,
            bytes_per_s=config.bytes_budget,
            exact_steps=config.diagnostics,
        )
        self.objects = NodeObjects(self.probes, asyncio_probe, trio_probe)
        if not config.native:
            native_reader.switch_off()
        if config.heap:
            inherited = context.inherited
            forked_from = inherited.parent if inherited is not None and inherited.threads else None
            self.watcher.heap = HeapQuestion(self.objects, answered=self.watcher.wake, forked_from=forked_from)
        self._add_rules(config, patches, asyncio_probe)

    def _add_rules(self, config: Config, patches: Patches, asyncio_probe: AsyncioProbe) -> None:
        rules = self.watcher.rules
        rules.append(self.leaks)
        if config.rules.says(FindingKind.NOTHING_MOVES):
            still_ns = config.rules.make(NothingMoves).still
            rules.append(Standstill(self.watcher.difference, asyncio_probe.loops, still_ns))
        if config.rules.says(FindingKind.ORDER_RISK):
            recorded = (lambda: ()) if patches.lock_order is None else patches.lock_order.take
            rules.append(OrderRule(read_suppressions(config.suppress), recorded))

    def join_within(self) -> None:
        """Joins what a collector would, as far as it is in this process: for who looks without one."""
        self.watcher.within = Within(self.flows.ends.ask)

    @property
    def flows(self) -> Flows:
        """What is known of the connections and pipes that somebody waits for."""
        return self.probes.context.resources.flows

    def end(self) -> None:
        """Leaves every function of the standard library as it was; for whoever has no other use for the patches."""
        self._patches.uninstall()

    def thread_holds(self) -> list[ThreadHold]:
        """The plain locks that threads were seen to have at the last look. From the fork hook."""
        return [] if self._threads is None else self._threads.holds()
