# SPDX-License-Identifier: Apache-2.0
"""What is measured together: a group of figures, the modes that are compared, and how one run of a mode is made."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from .loops import ASYNCIO
from .modes import BASELINE, OTEL, PEEPS, started
from .operations import OPERATIONS, THREADS
from .peers import PEERS
from .processes import figures_of, server
from .server_worker import NEEDS, SERVERS
from .startup import PROGRAMS, start
from .steady import processors

KINDS = ("operations", "servers", "looks", "starts", "peers")
OPERATIONS_GROUP, SERVERS_GROUP, LOOKS_GROUP, STARTS_GROUP, PEERS_GROUP = KINDS
TASKS = (10_000, 100_000)
_CONNECTIONS = 16
_WARM_UP_S = 1.0
_EAGER_S = 10.0  # since its start a watched process has to pass this time, and use up the allowance of a new one


class Group(NamedTuple):
    """`modes`: compared with `beside`, which runs before, between and after them. `turns`: how often they run in
    one visit; `visits_most`: 0: as often as there is time. `once`: what runs first, once in a visit."""

    name: str
    modes: tuple[str, ...]
    measure: Callable[[str], dict[str, float]]
    turns: int
    visits_most: int = 0
    beside: str = BASELINE
    once: tuple[str, ...] = ()

    def order(self) -> Iterator[str]:
        """The modes of one visit."""
        yield from self.once
        for _ in range(self.turns):
            for mode in self.modes:
                yield self.beside
                yield mode
        yield self.beside


class Bench(NamedTuple):
    """`python`: of the measured processes. `seconds`: of loading a server in one run."""

    python: Path
    dashboard: str
    seconds: float
    loops: tuple[str, ...]
    connections: int = _CONNECTIONS

    def operations(self) -> list[Group]:
        return [
            Group(f"{OPERATIONS_GROUP}/{loop}", (PEEPS,), partial(self._operations, loop=loop), 2)
            for loop in self.loops
        ]

    def servers(self) -> list[Group]:
        """Beside the same under `opentelemetry-instrument` with us off; Python alone has one run in a visit."""
        return [
            Group(f"{SERVERS_GROUP}/{kind}/{loop}", (PEEPS,), measure, 2, beside=OTEL, once=(BASELINE,))
            for kind in SERVERS
            if kind not in NEEDS or _has(self.python, NEEDS[kind])
            for loop in self.loops
            for measure in [partial(self._server, kind=kind, loop=loop)]
        ]

    def starts(self) -> list[Group]:
        """The loop makes no difference to a start."""
        return [
            Group(f"{STARTS_GROUP}/{name}", (PEEPS,), partial(self._start, code=code), turns, beside=OTEL)
            for (name, code), turns in zip(PROGRAMS.items(), (8, 3), strict=True)
        ]

    def looks(self) -> list[Group]:
        """On asyncio only: the loop makes no difference to a look. The SDK's own memory does not depend on tasks."""
        return [
            Group(f"{LOOKS_GROUP}/{count}", modes, partial(self._look, count=count), 1, 3)
            for count, modes in zip(TASKS, ((PEEPS, OTEL), (PEEPS,)), strict=True)
        ]

    def peers(self) -> list[Group]:
        """The peers that are installed, each operation that they have to do with; and the aiohttp server."""
        found = [name for name, peer in PEERS.items() if not peer.distribution or _has(self.python, peer.distribution)]
        groups: list[Group] = []
        for loop in self.loops:
            here = tuple(name for name in found if loop in PEERS[name].loops)
            groups.append(Group(f"{PEERS_GROUP}/{loop}", here, partial(self._operations, loop=loop), 1))
        serving = tuple(name for name in found if PEERS[name].servers and ASYNCIO in PEERS[name].loops)
        if _has(self.python, "aiohttp"):
            name = f"{PEERS_GROUP}/aiohttp/{ASYNCIO}"
            groups.append(Group(name, serving, partial(self._server, kind="aiohttp", loop=ASYNCIO), 1))
        return groups

    def _start(self, mode: str, code: str) -> dict[str, float]:
        return start(mode, self.python, self.dashboard, code)

    def _operations(self, mode: str, loop: str) -> dict[str, float]:
        names = [*OPERATIONS, *(THREADS if loop == ASYNCIO else ())]
        if mode in PEERS:
            names = [name for name in names if name in PEERS[mode].operations]
        worker = started(mode, self.python, self.dashboard, "bench.operation_worker", mode, loop, *names)
        return figures_of(worker, processors()[0])

    def _server(self, mode: str, kind: str, loop: str) -> dict[str, float]:
        loaded, loading = processors()
        with server(started(mode, self.python, self.dashboard, "bench.server_worker", mode, loop, kind), loaded) as at:
            process, port = at
            warm_up = _EAGER_S if mode == PEEPS else _WARM_UP_S
            numbers = (port, process, self.connections, warm_up, self.seconds)
            module = "bench.grpc_load" if kind == "grpc" else "bench.load"
            load = started(BASELINE, Path(sys.executable), "", module, *map(str, numbers))
            return figures_of(load, loading)

    def _look(self, mode: str, count: int) -> dict[str, float]:
        seconds = "30" if mode == PEEPS else "0"
        worker = started(mode, self.python, self.dashboard, "bench.look_worker", mode, ASYNCIO, str(count), seconds)
        return figures_of(worker, None, 300.0)


def _has(python: Path, distribution: str) -> bool:
    code = f"import importlib.metadata as m; m.version({distribution!r})"
    return subprocess.run([python, "-c", code], capture_output=True).returncode == 0
