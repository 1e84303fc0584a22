# SPDX-License-Identifier: Apache-2.0
"""Findings: what the diagnosis says, with its proof level and its evidence."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from .graph import Frame


class Level(StrEnum):
    """How sure a finding is, best first.

    PROVEN: only known members could end the waits, none of them can, and none advanced between two looks.
    LIKELY: the same, but somebody unknown could exist who ends a wait.
    SUSPECT: only long. SLOW: long, with progress.
    """

    PROVEN = "PROVEN"
    LIKELY = "LIKELY"
    SUSPECT = "SUSPECT"
    SLOW = "SLOW"

    @property
    def stuck(self) -> bool:
        """Whether a program with such a finding counts as stuck (the exit code of `peeps why`)."""
        return self is not Level.SLOW


class FindingKind(StrEnum):
    """What is wrong. docs/findings.md says when each is reported and what to do.

    No test misses two places of a new kind that need it: `certainty_words.py`, where the words of its level are not
    true of it, and the collector's `graph/findings.py`, where it is not about waits.
    """

    DEADLOCK = "deadlock"
    LOCK_STARVED = "lock_starved"
    SEMAPHORE_STARVED = "semaphore_starved"
    CHANNEL_FULL = "channel_full"
    NEVER_ENDS = "never_ends"
    LOST_WAKEUP = "lost_wakeup"
    LOOP_BLOCKED = "loop_blocked"
    NEVER_YIELDS = "never_yields"
    SELF_WAKING = "self_waking"
    CANCEL_IGNORED = "cancel_ignored"
    HELD_ACROSS_WAIT = "held_across_wait"
    CHANNEL_NOT_DRAINED = "channel_not_drained"
    EXECUTOR_SATURATED = "executor_saturated"
    TASK_DESTROYED = "task_destroyed"
    EXCEPTION_NEVER_RETRIEVED = "exception_never_retrieved"
    TASK_GROWTH = "task_growth"
    PROCESS_SILENT = "process_silent"
    LEAK = "leak"
    ORDER_RISK = "order_risk"
    HELD_AT_FORK = "held_at_fork"
    PEER_NOT_READING = "peer_not_reading"
    NOTHING_MOVES = "nothing_moves"
    NEVER_EXITS = "never_exits"
    POOL_EXHAUSTED = "pool_exhausted"
    TIMES_OUT = "times_out"
    CALL_ABANDONED = "call_abandoned"
    CALL_UNANSWERED = "call_unanswered"


@dataclass(slots=True)
class EvidenceStep:
    """One step of the evidence: `waiter` waits for `resource`, which `holder` would have to give.

    Ids of nodes; `holder` is None where nobody is known. `text` says the same in plain words. `holder_doing`: what the
    holder does now, as a clause that follows its name; empty where that is not known.
    """

    waiter: str
    resource: str
    holder: str | None
    since_ns: int
    text: str
    wait_source: str = ""
    hold_since_ns: int | None = None
    hold_source: str | None = None
    holder_doing: str = ""


@dataclass(slots=True, frozen=True)
class Site:
    """`count` tasks made at `source` (`path:line`), or where a library made them, in that line of the program.
    `example`: the name of one of them."""

    source: str
    count: int
    example: str


@dataclass(slots=True)
class Finding:
    """A diagnosis. `id` follows from kind and core, so every observer gives the same finding the same id.

    `title`: one sentence in plain words. `since_ns`: when the last wait of the core began. `cycle`: the ring in the
    order waiter, resource, holder, … (empty where there is none). `core`: its members (tasks and resources).
    `blocked`: tasks that merely wait behind the core; `blocked_sites`: where those were made, most first. `evidence`:
    the links, in ring order. `advice`: what would release it. `break_first`: which member to stop first and why, where
    there is a choice. `look_at`: the line to open first, `path:line`. `stack`: where it is, outermost
    frame first, for a finding that is about no node. `count`: how many alike there are with this one, of the same kind,
    level and sites; `examples`: a member of each of some of the others.
    """

    id: str
    kind: FindingKind
    level: Level
    title: str
    since_ns: int
    core: list[str]
    cycle: list[str] = field(default_factory=list[str])
    blocked: list[str] = field(default_factory=list[str])
    evidence: list[EvidenceStep] = field(default_factory=list[EvidenceStep])
    advice: str = ""
    blocked_sites: list[Site] = field(default_factory=list[Site])
    break_first: str = ""
    look_at: str = ""
    stack: tuple[Frame, ...] = ()
    count: int = 1
    examples: list[str] = field(default_factory=list[str])


def finding_id(kind: FindingKind, core: Iterable[str]) -> str:
    """The stable id of a finding: the kind and 16 hexadecimal digits of a hash of the core's node ids."""
    digest = hashlib.sha256("\n".join(sorted(core)).encode()).hexdigest()
    return f"{kind}:{digest[:16]}"
