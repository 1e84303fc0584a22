# SPDX-License-Identifier: Apache-2.0
"""The oracle: whoever was said to wait for ever, and goes on, refutes who said so."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, cast
from weakref import ref

from peeps_otel import semconv
from peeps_otel.model import Finding, Level, Node, NodeKind

from .stage import OUTSIDE, Steps, stage

_SAID = (Level.PROVEN, Level.LIKELY)
_PROGRAM = re.compile(r"program_(\d+)\.py")
_SEEN_LATER_NS = 200_000_000  # after it began, a wait that is first met by a look


@dataclass(frozen=True)
class Refutation:
    """`member` was said to be stuck and has gone on. `seeds`: of the programs that the finding speaks of. `behind`: it
    only stood behind the core. `broken`: after a cancellation from outside, a deliberate error or the end of a loop,
    which may end any wait."""

    level: str
    kind: str
    title: str
    member: str
    seeds: tuple[int, ...]
    behind: bool
    broken: bool
    said_at_ms: int
    moved_by_ms: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class _Claim:
    """`moves`: of `steps`, when the look was taken. `breaks`: of the programs of the finding, at the look before."""

    finding: Finding
    node: Node
    seeds: tuple[int, ...]
    behind: bool
    at_ms: int
    breaks: int
    steps: Steps
    moves: int
    task: ref[object] | None = None
    future: ref[Any] | None = None
    limits_ns: tuple[int, ...] = ()
    """When the waits of the core end by themselves."""


class _Met(NamedTuple):
    """A task of asyncio, or of Trio, or a greenlet: of the others nothing but the steps tells that they went on."""

    task: ref[object]
    steps: Steps


class Oracle:
    """Remembers every claim about a task or thread until the programs are over. One caller."""

    def __init__(self) -> None:
        self._claims: dict[tuple[str, str, str], _Claim] = {}
        self._made: dict[tuple[str, str], _Claim] = {}
        self.refuted: list[Refutation] = []
        self._met: dict[str, _Met] = {}
        self._gone: dict[str, _Met] = {}
        self._before: dict[int, int] = {}
        self._now: dict[int, int] = {}

    def look_begins(self) -> None:
        """What was broken up to this look and the one before: a break takes its time to work."""
        self._before, self._now = self._now, {player.seed: player.breaks for player in stage.players}

    def meet(self, tasks: dict[str, object]) -> None:
        """`tasks`: the living ones, by node id; after each look, before anything is said. Who has ended in the middle
        of the look was met after the one before."""
        before, self._met = self._met, {}
        for node_id, task in tasks.items():
            self._met[node_id] = before.pop(node_id, None) or _Met(ref(task), stage.of_task(task))
        self._gone = before

    def said(self, findings: list[Finding], nodes: dict[str, Node], seen_ns: int, ms: int) -> None:
        """`findings`: all that are open. `seen_ns`: when the programs were read, on the monotonic clock: whoever has
        moved since then refutes what is said only now."""
        for finding in findings:
            if finding.level not in _SAID:
                continue
            for behind, members in ((False, finding.core), (True, finding.blocked)):
                for member in members:
                    node = nodes.get(member)
                    if node is None or node.wait is None or (finding.id, finding.level.value, member) in self._claims:
                        continue
                    self._claim(finding, node, nodes, behind, seen_ns, ms)

    def _claim(self, finding: Finding, node: Node, nodes: dict[str, Node], behind: bool, seen_ns: int, ms: int) -> None:
        met = self._met.get(node.id) or self._gone.get(node.id)
        if node.kind is NodeKind.THREAD:
            steps = stage.of_thread(_ident(node))
        elif met is not None:
            steps = met.steps
        else:
            return  # nobody of a program
        task = None if met is None else met.task()
        future = None if task is None else getattr(task, "_fut_waiter", None)
        seeds = seeds_of(nodes[one] for one in (*finding.core, *finding.blocked) if one in nodes)
        claim = _Claim(
            finding,
            node,
            seeds,
            behind,
            ms,
            _breaks(self._before, seeds),
            steps,
            steps.count - (steps.last_ns > seen_ns),
            None if met is None else met.task,
            None if future is None else ref(future),
            tuple(_limits(nodes[one] for one in finding.core if one in nodes)),
        )
        self._claims[finding.id, finding.level.value, node.id] = claim
        if not behind:
            self._made.setdefault((finding.id, finding.level.value), claim)

    def check(self, ms: int) -> None:
        """Looks whether any of them has gone on."""
        for key, claim in list(self._claims.items()):
            task = None if claim.task is None else claim.task()
            if not _has_moved(task, claim):
                continue
            del self._claims[key]
            cancelled = task is not None and getattr(task, "_cancel_message", None) == OUTSIDE
            finding = claim.finding
            self.refuted.append(
                Refutation(
                    finding.level.value,
                    finding.kind.value,
                    finding.title,
                    claim.node.name,
                    claim.seeds,
                    claim.behind,
                    cancelled or _is_broken(claim) or self._ran_out(claim),
                    claim.at_ms,
                    ms,
                )
            )

    def _ran_out(self, claim: _Claim) -> bool:
        """LIKELY is said of pools whose time limits are told: at the end of one it begins anew."""
        ends = [limit for limit in claim.limits_ns if limit - _SEEN_LATER_NS <= time.time_ns()]
        return claim.finding.level is Level.LIKELY and bool(ends)

    def judged(self) -> dict[str, tuple[int, int]]:
        """By level: how many findings were put to the test, and in how many of them nothing was broken from outside up
        to now, so that whoever moves refutes them."""
        levels = {level.value: [one for (_, said), one in self._made.items() if said == level] for level in _SAID}
        return {level: (len(made), sum(not _is_broken(one) for one in made)) for level, made in levels.items()}


def seeds_of(nodes: Iterable[Node]) -> tuple[int, ...]:
    """The programs whose lines these nodes were made at or stand at."""
    found: set[str] = set()
    for node in nodes:
        found.update(_PROGRAM.findall(node.source))
        for frame in node.stack:
            found.update(_PROGRAM.findall(frame.file))
    return tuple(sorted(map(int, found)))


def _breaks(by_seed: dict[int, int], seeds: tuple[int, ...]) -> int:
    """Of these programs; of all, where it is not known which they are."""
    return sum(count for seed, count in by_seed.items() if not seeds or seed in seeds)


def _is_broken(claim: _Claim) -> bool:
    return _breaks({player.seed: player.breaks for player in stage.players}, claim.seeds) != claim.breaks


def _limits(nodes: Iterable[Node]) -> Iterable[int]:
    for node in nodes:
        if node.wait is not None and node.wait.deadline_ns is not None:
            yield node.wait.deadline_ns


def _ident(node: Node) -> int:
    ident = node.attributes.get(semconv.THREAD_ID)
    assert isinstance(ident, int)
    return ident


def _has_moved(task: object | None, claim: _Claim) -> bool:
    """A task that nobody had, and that was destroyed, has made no step by that."""
    if claim.steps.count != claim.moves:
        return True
    if not isinstance(task, asyncio.Task):
        return False
    running = cast("asyncio.Task[Any]", task)
    before = None if claim.future is None else claim.future()
    return running.done() or (before is not None and getattr(running, "_fut_waiter", None) is not before)
