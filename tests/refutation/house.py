# SPDX-License-Identifier: Apache-2.0
"""Programs by the thousand: each in a forked child of its own, some at a time; what came of them, in one place."""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .generator import program
from .performance import Engine, Performance

_PATIENCE_S = 150.0  # longer than a question to the heap may take
_TELL, _TELLING_S = signal.SIGUSR2, 0.3  # where the threads of a program are that does not end


@dataclass
class Tally:
    """Sums over programs. `refuted`, `hung`, `failed`: by seed, in the order in which they ended."""

    programs: int = 0
    stuck: int = 0
    unsaid: list[int] = field(default_factory=list[int])
    unsaid_kinds: Counter[str] = field(default_factory=Counter[str])
    asked: int = 0
    unsaid_by_heap: int = 0
    said: Counter[str] = field(default_factory=Counter[str])
    refuted: list[tuple[int, dict[str, Any]]] = field(default_factory=list[tuple[int, dict[str, Any]]])
    broken: Counter[str] = field(default_factory=Counter[str])
    behind: Counter[str] = field(default_factory=Counter[str])
    hung: list[int] = field(default_factory=list[int])
    failed: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    looks: int = 0
    cpu_ms: int = 0

    def add(self, result: dict[str, Any]) -> None:
        """One process of a program; forked children of it count as programs of their own."""
        self.programs += 1
        self.cpu_ms += result["cpu_ms"]
        if "failed" in result:
            self.failed.append((result["seed"], result["failed"]))
            return
        self.looks += result["looks"]
        self.said.update(result["said"])
        if result["stuck"]:
            self.stuck += 1
            if not result["last"]:
                self.unsaid.append(result["seed"])
                self.unsaid_kinds[" ".join(sorted(set(result["kinds"])))] += 1
            if result["with_heap"] is not None:
                self.asked += 1
                self.unsaid_by_heap += not result["with_heap"]
        for one in result["refuted"]:
            if one["broken"]:
                self.broken[one["level"]] += 1
            elif one["behind"]:
                self.behind[f"{one['level']} {one['kind']}"] += 1
            else:
                self.refuted.append((result["seed"], one))

    def at(self, level: str) -> list[int]:
        """The seeds of the programs in which a finding of this level was refuted."""
        return sorted({seed for seed, one in self.refuted if one["level"] == level})


@dataclass
class _Running:
    """A program under way: files for what comes of it, and for where its threads are should it not end."""

    seed: int
    out: int
    stacks: int
    until_s: float = field(default_factory=lambda: time.monotonic() + _PATIENCE_S)


class House:
    """Runs programs. In a process without other threads: it forks."""

    def __init__(
        self, at_once: int = 4, heap_share: float = 0.03, only: str = "", loud: bool = False, credulous: bool = False
    ) -> None:
        self._loud = loud
        self._engine = Engine(credulous)
        self._engine.install()
        gc.collect()
        gc.freeze()  # or each child would copy all that was here before it, at its first collection
        self._at_once, self._heap_share, self._only = at_once, heap_share, only
        self.stacks = ""
        """Where the threads of the last program were that had to be killed."""

    def results(
        self, seeds: Iterable[int], without: frozenset[str] = frozenset()
    ) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """For each seed, as they end, what came of it: one dictionary for each process; none where it hung."""
        waiting, running = iter(seeds), dict[int, _Running]()
        with tempfile.TemporaryDirectory(prefix="refutation") as folder:
            while True:
                while len(running) < self._at_once and (seed := next(waiting, None)) is not None:
                    one = _Running(seed, *(_file(f"{folder}/{seed}{end}") for end in ("", ".stacks")))
                    running[self._begin(one, without)] = one
                if not running:
                    return
                for pid in self._ended(running):
                    one = running.pop(pid)
                    results = [json.loads(line) for line in _read(one.out).splitlines()]
                    stacks = _read(one.stacks).decode(errors="replace")
                    self.stacks = "" if results else stacks
                    yield one.seed, results
                    for end in ("", ".stacks"):
                        os.unlink(f"{folder}/{one.seed}{end}")

    def _begin(self, one: _Running, without: frozenset[str]) -> int:
        pid = os.fork()
        if pid:
            os.setpgid(pid, pid)
            return pid
        try:
            os.setpgid(0, 0)
            if not self._loud:  # what programs say of their own errors
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            faulthandler.register(_TELL, one.stacks)
            Performance(program(one.seed, self._only, without), self._engine, one.out, self._heap_share).run()
        finally:
            os._exit(1)

    def _ended(self, running: dict[int, _Running]) -> list[int]:
        while True:
            ended = [pid for pid in running if os.waitpid(pid, os.WNOHANG)[0] == pid]
            for pid in ended:
                _kill(pid)  # what it has left behind
            for pid, one in running.items():
                if pid not in ended and time.monotonic() > one.until_s:
                    os.kill(pid, _TELL)
                    time.sleep(_TELLING_S)
                    _kill(pid)
            if ended:
                return ended
            time.sleep(0.005)


def _kill(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def _file(path: str) -> int:
    return os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_TRUNC)


def _read(file: int) -> bytes:
    try:
        return os.pread(file, os.fstat(file).st_size, 0)
    finally:
        os.close(file)
