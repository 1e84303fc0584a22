# SPDX-License-Identifier: Apache-2.0
"""Programs by the thousand: packs of them in forked children, some at a time; what came of them, in one place."""

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

from .engine import Engine
from .performance import Performance
from .program import Program
from .stage import stage

_PATIENCE_S = 150.0  # longer than a question to the heap may take
TOGETHER = 20
HEAP_SHARE = 0.012  # a question costs as much as a hundred looks
Pack = list[Program]
_TELL, _TELLING_S = signal.SIGUSR2, 0.3  # where the threads of a program are that does not end


@dataclass
class Tally:
    """Sums over programs. `refuted`, `hung`, `failed`: by seed, as they ended. `looks`: at a process. `alive`: at a
    program of it that still moved afterwards, so that it could have refuted what was said; `unseen`: the programs that
    had none. `errors`: of programs that did not even begin, or did not end as they should. `judged`: findings, by
    level; `unbroken`: those that nothing from outside has excused."""

    programs: int = 0
    stuck: int = 0
    unsaid: list[int] = field(default_factory=list[int])
    unsaid_kinds: Counter[str] = field(default_factory=Counter[str])
    asked: int = 0
    unsaid_by_heap: int = 0
    said: Counter[str] = field(default_factory=Counter[str])
    judged: Counter[str] = field(default_factory=Counter[str])
    unbroken: Counter[str] = field(default_factory=Counter[str])
    refuted: list[tuple[int, dict[str, Any]]] = field(default_factory=list[tuple[int, dict[str, Any]]])
    broken: Counter[str] = field(default_factory=Counter[str])
    behind: Counter[str] = field(default_factory=Counter[str])
    errors: Counter[str] = field(default_factory=Counter[str])
    hung: list[int] = field(default_factory=list[int])
    failed: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    looks: int = 0
    alive: int = 0
    unseen: int = 0
    questions: int = 0
    cpu_ms: int = 0

    def add(self, result: dict[str, Any]) -> None:
        """One process with its programs; forked children of it count as programs of their own."""
        self.cpu_ms += result["cpu_ms"]
        if "failed" in result:
            self.failed.append((result["seeds"][0], result["failed"]))
            return
        self.looks += result["looks"]
        self.questions += result["asked"]
        self.said.update(result["said"])
        for level, (made, unbroken) in result["judged"].items():
            self.judged[level] += made
            self.unbroken[level] += unbroken
        for one in result["programs"]:
            self._add_program(one)
        for one in result["refuted"]:
            if one["broken"]:
                self.broken[one["level"]] += 1
            elif one["behind"]:
                self.behind[f"{one['level']} {one['kind']}"] += 1
            else:
                self.refuted.append(((one["seeds"] or result["seeds"])[0], one))

    def _add_program(self, one: dict[str, Any]) -> None:
        self.programs += 1
        self.alive += one["looks"]
        self.unseen += not one["looks"]
        if one["error"]:
            self.errors[one["error"]] += 1
        if not one["stuck"]:
            return
        self.stuck += 1
        if not one["last"]:
            self.unsaid.append(one["seed"])
            self.unsaid_kinds[" ".join(sorted(set(one["kinds"])))] += 1
        if one["with_heap"] is not None:
            self.asked += 1
            self.unsaid_by_heap += not one["with_heap"]

    @classmethod
    def read(cls, kept: dict[str, Any]) -> Tally:
        """One whose attributes were kept as JSON."""
        tally = cls()
        for name, value in kept.items():
            before = getattr(tally, name)
            setattr(tally, name, Counter(value) if isinstance(before, Counter) else value)
        return tally

    def at(self, level: str) -> list[int]:
        """The seeds of the programs in which a finding of this level was refuted."""
        return sorted({seed for seed, one in self.refuted if one["level"] == level})


@dataclass
class _Running:
    """A process under way: files for what comes of it, and for where its threads are should it not end."""

    pack: Pack
    out: int
    stacks: int
    until_s: float = field(default_factory=lambda: time.monotonic() + _PATIENCE_S)


class House:
    """Runs programs. In a process without other threads: it forks."""

    def __init__(
        self,
        at_once: int = 3,
        together: int = TOGETHER,
        heap_share: float = HEAP_SHARE,
        loud: bool = False,
        credulous: bool = False,
    ) -> None:
        """`together`: how many programs there are in a process."""
        self._loud = loud
        self._engine = Engine(credulous)
        self._engine.install()
        gc.collect()
        gc.freeze()  # or each child would copy all that was here before it, at its first collection
        self._at_once, self._together, self._heap_share = at_once, together, heap_share
        self.stacks = ""
        """Where the threads of the last process were that had to be killed."""

    def results(self, programs: Iterable[Program]) -> Iterator[tuple[Pack, list[dict[str, Any]]]]:
        """For each pack, as they end, what came of it: one dictionary for each process; none where it hung."""
        waiting, running, number = packed(programs, self._together), dict[int, _Running](), 0
        with tempfile.TemporaryDirectory(prefix="refutation") as folder:
            stage.folder = folder
            while True:
                while len(running) < self._at_once and (pack := next(waiting, None)) is not None:
                    paths, number = [f"{folder}/{number}{end}" for end in ("", ".stacks")], number + 1
                    one = _Running(pack, *map(_file, paths))
                    for path in paths:
                        os.unlink(path)
                    running[self._begin(one)] = one
                if not running:
                    return
                for pid in self._ended(running):
                    one = running.pop(pid)
                    results = [json.loads(line) for line in _read(one.out).splitlines()]
                    stacks = _read(one.stacks).decode(errors="replace")
                    self.stacks = "" if results else stacks
                    yield one.pack, results

    def _begin(self, one: _Running) -> int:
        pid = os.fork()
        if pid:
            os.setpgid(pid, pid)
            return pid
        try:
            os.setpgid(0, 0)
            if not self._loud:  # what programs say of their own errors
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            faulthandler.register(_TELL, one.stacks)
            Performance(one.pack, self._engine, one.out, self._heap_share).run()
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


def packed(programs: Iterable[Program], together: int) -> Iterator[Pack]:
    """Not more than one that has to run on the main thread in a pack: the others of that sort wait for a later one."""
    leaders: list[Program] = []
    others: list[Program] = []
    for program in programs:
        (leaders if program.leads else others).append(program)
        if len(others) + bool(leaders) >= together:
            yield [*leaders[:1], *others]
            del leaders[:1]
            others.clear()
    while leaders or others:
        yield [*leaders[:1], *others]
        del leaders[:1]
        others.clear()


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
