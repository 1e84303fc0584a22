# SPDX-License-Identifier: Apache-2.0
"""The oracle: whoever was said to wait for ever, and goes on, refutes who said so."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from typing import Any
from weakref import ref

from peeps_otel import semconv
from peeps_otel.model import Finding, Level, Node, NodeKind

from .stage import OUTSIDE, stage

_SAID = (Level.PROVEN, Level.LIKELY)


@dataclass(frozen=True)
class Refutation:
    """`member` was said to be stuck and has gone on. `behind`: it only stood behind the core. `broken`: after a
    cancellation from outside, a deliberate error or the end of a loop, which may end any wait."""

    level: str
    kind: str
    title: str
    member: str
    behind: bool
    broken: bool
    said_at_ms: int
    moved_by_ms: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class _Claim:
    finding: Finding
    node: Node
    behind: bool
    at_ms: int
    breaks: int
    moves: int
    task: ref[asyncio.Task[Any]] | None = None
    future: ref[Any] | None = None


class Oracle:
    """Remembers every claim about a task or thread until the program is over. One caller."""

    def __init__(self) -> None:
        self._claims: dict[tuple[str, str, str], _Claim] = {}
        self.refuted: list[Refutation] = []
        self._breaks = (0, 0)  # at the beginning of this look and of the one before: a break takes its time to work

    def look_begins(self) -> None:
        self._breaks = (self._breaks[1], stage.breaks)

    def said(
        self, findings: list[Finding], nodes: dict[str, Node], tasks: dict[str, asyncio.Task[Any]], ms: int
    ) -> None:
        """`findings`: all that are open. `tasks`: the living ones, by node id."""
        for finding in findings:
            if finding.level not in _SAID:
                continue
            for behind, members in ((False, finding.core), (True, finding.blocked)):
                for member in members:
                    node = nodes.get(member)
                    if node is not None and node.wait is not None:
                        self._claim(finding, node, behind, tasks.get(member), ms)

    def _claim(self, finding: Finding, node: Node, behind: bool, task: asyncio.Task[Any] | None, ms: int) -> None:
        key = (finding.id, finding.level.value, node.id)
        if key in self._claims:
            return
        if node.kind is NodeKind.THREAD:
            moves = stage.by_thread.get(_ident(node), 0)
            self._claims[key] = _Claim(finding, node, behind, ms, self._breaks[0], moves)
        elif task is not None:
            future = getattr(task, "_fut_waiter", None)
            moves = stage.by_task.get(task, 0)
            waits_for = None if future is None else ref(future)
            self._claims[key] = _Claim(finding, node, behind, ms, self._breaks[0], moves, ref(task), waits_for)

    def check(self, ms: int) -> None:
        """Looks whether any of them has gone on."""
        for key, claim in list(self._claims.items()):
            task = None if claim.task is None else claim.task()
            if claim.node.kind is NodeKind.THREAD:
                moved = stage.by_thread.get(_ident(claim.node), 0) != claim.moves
            elif task is None:
                del self._claims[key]  # nobody had it: it was destroyed, which is no step
                continue
            else:
                moved = _has_moved(task, claim)
            if not moved:
                continue
            del self._claims[key]
            cancelled = task is not None and getattr(task, "_cancel_message", None) == OUTSIDE
            broken = cancelled or stage.breaks != claim.breaks
            finding = claim.finding
            self.refuted.append(
                Refutation(
                    finding.level.value,
                    finding.kind.value,
                    finding.title,
                    claim.node.name,
                    claim.behind,
                    broken,
                    claim.at_ms,
                    ms,
                )
            )


def _ident(node: Node) -> int:
    ident = node.attributes.get(semconv.THREAD_ID)
    assert isinstance(ident, int)
    return ident


def _has_moved(task: asyncio.Task[Any], claim: _Claim) -> bool:
    before = None if claim.future is None else claim.future()
    now = getattr(task, "_fut_waiter", None)
    return task.done() or stage.by_task.get(task, 0) != claim.moves or (before is not None and now is not before)
