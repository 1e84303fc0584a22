# SPDX-License-Identifier: Apache-2.0
"""Who else could end a wait for what `multiprocessing` shares: processes that live. And those that died."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast
from weakref import ref

from .. import semconv
from ..model import AttributeValue
from .internals import sharing
from .internals.managed import Managed
from .pool_workers import PoolWorkers

_EVERY_NS = 1_000_000_000
_KNOWN_MOST = 500
_GONE_MOST = 20
_NAMED_MOST = 2
_ZOMBIES_EVERY_NS = 3_000_000_000
_ZOMBIES_MOST = 100
_IDLE_NS = 3_000_000_000
_WORKER = "PoolWorker"
_POOL = "multiprocessing.pool"
_SHARED = ("multiprocessing.synchronize", "multiprocessing.queues", "multiprocessing.connection")


@dataclass(slots=True)
class _Child:
    name: str
    popen: Callable[[], Any]
    died: str = ""
    died_ns: int = 0


class Kin:
    """For the watcher thread only. `forked`: this process is itself a fork, whose parent and siblings may share."""

    def __init__(self, forked: bool) -> None:
        self._forked = forked
        self._known: dict[int, _Child] = {}
        self._gone: list[_Child] = []  # without a word: what it ended with is not known
        self._idle_ns = 0  # since when all workers of pools wait for work
        self._living = self._family = ""
        self._looked_ns = self._now_ns = self._zombies_ns = 0
        self._family_pids: list[int] = []
        self._workers = PoolWorkers()

    def of(
        self, kind: type[object], since_ns: int, thing: object = None, is_held: bool = False
    ) -> dict[str, AttributeValue]:
        """What to say of `thing`, of this type, that somebody waits for, first seen at `since_ns`; empty for what is
        not shared between processes. `is_held`: somebody of this process is seen to have it."""
        module = _module(kind)
        if issubclass(kind, Managed):
            return {} if is_held else self._of_managed(cast("Managed", thing))
        if not module:
            return {}
        self._look(self._now_ns)
        died = [one for one in self._known.values() if one.died]
        if module == _POOL:  # its workers are replaced, and the work that one of them had is not
            gone = [one for one in self._gone if one.died_ns >= since_ns and _WORKER in one.name]
            if not gone and sharing.has_replaced_a_worker(thing):  # before it was first seen
                gone = [_Child("", lambda: None, "a worker of the pool, which is gone")]
            died = gone if self._idle_ns and self._now_ns - self._idle_ns >= _IDLE_NS else []
        if self._living and not (module == _POOL and died):
            said: dict[str, AttributeValue] = {semconv.COULD_END_OUTSIDE: self._living}
            pool = module == _POOL
            said |= self._workers.of(thing, self._now_ns) if pool else {}
            family = ", ".join(map(str, sharing.pool_workers(thing))) if pool else self._family
            return said | ({semconv.RESOURCE_SHARED_WITH: family} if family else {})
        return {semconv.RESOURCE_LOST_WITH: max(died, key=lambda one: one.died_ns).died} if died else {}

    def died(self) -> str:
        """Those that have died and of which it is known how, the last first; empty where there is none. Who nobody has
        waited for is asked for every few seconds."""
        if self._now_ns - self._zombies_ns >= _ZOMBIES_EVERY_NS:
            self._zombies_ns = self._now_ns
            self._note_zombies(self._now_ns)
        known = sorted((one for one in self._known.values() if one.died), key=lambda one: -one.died_ns)
        more = f" and {len(known) - _NAMED_MOST} more" if len(known) > _NAMED_MOST else ""
        return "; ".join(one.died for one in known[:_NAMED_MOST]) + more

    def _of_managed(self, thing: Managed) -> dict[str, AttributeValue]:
        """Of what the process of a manager has: that one does what the others ask it to, and nothing by itself."""
        self._look(self._now_ns)
        if not thing.address:
            return {semconv.COULD_END_OUTSIDE: "whoever can reach the manager's address"}
        server = thing.server()
        if server is None:
            return {semconv.COULD_END_OUTSIDE: "the manager's process"}
        others = [ident for ident in self._family_pids if ident != server]
        if self._forked or sharing.has_parent():
            living = "the process this was forked from"
        else:
            living = next((self._called(ident) for ident in others if ident != os.getpid()), "")
        if living:
            said: dict[str, AttributeValue] = {semconv.COULD_END_OUTSIDE: living}
            family = ", ".join(map(str, others))
            return said | ({semconv.RESOURCE_SHARED_WITH: family} if family else {})
        died = [one for ident, one in self._known.items() if one.died and ident != server]
        return {semconv.RESOURCE_LOST_WITH: max(died, key=lambda one: one.died_ns).died} if died else {}

    def _called(self, ident: int) -> str:
        known = self._known.get(ident)
        return f"pid {ident}" if known is None else f"{known.name} (pid {ident})"

    def _look(self, now_ns: int) -> None:
        """Once a second, while anybody waits for something shared."""
        if now_ns - self._looked_ns < _EVERY_NS:
            return
        self._looked_ns = now_ns
        self._note_zombies(now_ns)
        living = sharing.sharers()
        self._family_pids = sharing.family_of(self._forked)
        self._family = ", ".join(map(str, self._family_pids))
        if self._forked or sharing.has_parent():
            self._living = "the process this was forked from"
        elif living is None:
            self._living = "another process"
        else:
            names = [self._called(ident) for ident in living if ident in self._known]
            workers = [ident for ident in living if ident in self._known and _WORKER in self._known[ident].name]
            idle = bool(workers) and all(sharing.waits_for_work(ident) for ident in workers)
            self._idle_ns = (self._idle_ns or now_ns) if idle else 0
            self._living = next(iter(names), f"pid {living[0]}" if living else "")

    def _note_zombies(self, now_ns: int) -> None:
        """Those that have ended and that nobody has waited for."""
        for ident, known in list(self._known.items())[:_ZOMBIES_MOST]:
            code = None if known.died else sharing.ended_with(ident)
            if code:
                self._has_died(ident, known, code, now_ns)

    def note(self, now_ns: int) -> None:
        """Which children there are, and which of them have died. Cheap where there are none: at each look, for a dead
        one that was waited for leaves no trace."""
        self._now_ns = now_ns
        for child in sharing.children():
            if child.exit_code == 0:
                continue
            if child.pid not in self._known and len(self._known) < _KNOWN_MOST:
                try:
                    self._known[child.pid] = _Child(child.name, ref(child.popen))
                except TypeError:
                    continue
        for ident, known in list(self._known.items()):
            if known.died:
                continue
            popen = known.popen()
            code = None if popen is None else sharing.exit_code(popen)
            if popen is None and not sharing.is_alive(ident):
                known.died, known.died_ns = f"{known.name} (pid {ident}), which is gone", now_ns
                self._gone = [*self._gone[-_GONE_MOST:], self._known.pop(ident)]
            elif code == 0:
                del self._known[ident]  # as it should
            elif code is not None:
                self._has_died(ident, known, code, now_ns)

    def _has_died(self, ident: int, known: _Child, code: int, now_ns: int) -> None:
        self._gone = [*self._gone[-_GONE_MOST:], known]
        known.died, known.died_ns = f"{known.name} (pid {ident}), {_how(code)}", now_ns


def _module(kind: type[object]) -> str:
    """The module of `multiprocessing` that a type or one of its bases is of, if what it makes is shared; else empty."""
    modules = (str(type.__dict__["__module__"].__get__(one)) for one in type.__dict__["__mro__"].__get__(kind))
    return next((one for one in modules if one in _SHARED or one == _POOL), "")


def _how(code: int) -> str:
    if code >= 0:
        return f"which ended with exit code {code}"
    try:
        return f"which died of {signal.Signals(-code).name}"
    except ValueError:
        return f"which died of signal {-code}"
