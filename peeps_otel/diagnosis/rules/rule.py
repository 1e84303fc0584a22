# SPDX-License-Identifier: Apache-2.0
"""What a rule is, what it finds, and in which words that is told."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import ClassVar, NamedTuple

from ...model import EvidenceStep, FindingKind, Level, Node
from .. import wording
from .context import Residue, RuleContext
from .tunable import LongWait, Tunable


@dataclass(slots=True)
class Account:
    """A finding in words: see `peeps_otel.model.Finding`. `title` and `advice` are whole sentences."""

    title: str
    advice: str
    look_at: str = ""
    evidence: list[EvidenceStep] = field(default_factory=list[EvidenceStep])
    blocked: list[str] = field(default_factory=list[str])
    cycle: list[str] = field(default_factory=list[str])
    break_first: str = ""


class Alike(NamedTuple):
    """What makes candidates of one process alike: their kind and level, and where they are. `made_ns`: when the first
    member was made. `one`: a member to look at, a task or thread where there is one."""

    sites: tuple[FindingKind, Level, str, frozenset[tuple[str, str, str]]]
    made_ns: int
    one: str


@dataclass(slots=True)
class Candidate:
    """What a rule has found, before a word is made of it: of a thousand alike one is told.

    `about`: what its id is made of. `explains`: whom it explains beside `core`, if its rule explains anybody. `tell`
    is called within the same look, or a later one at which nothing of what the candidate was read from has changed.
    `apart`: what tells it from others at the same lines. `alike`: see `telling`, which fills it in.
    """

    kind: FindingKind
    level: Level
    since_ns: int
    core: Sequence[str]
    about: Sequence[str]
    tell: Callable[[], Account]
    explains: Collection[str] = ()
    apart: str = ""
    alike: Alike | None = None


class Rule(Tunable):
    """Finds one kind of trouble. May remember things between looks; one caller.

    `name`: what it is switched and tuned by. `levels`: those it says, the surest first. `when`: the sentence that is
    made from its thresholds, with `{name}` for each of its own and `{long_wait.name}` for those that are shared.
    `advice`: what to do, in plain words, without a full stop. `marks`: the attributes of nodes that it speaks of: a
    task that carries one is looked at whatever it does, others are found by it. `explains`: later rules leave out whom
    its findings name.
    """

    kind: ClassVar[FindingKind]
    levels: ClassVar[tuple[Level, ...]]
    when: ClassVar[str]
    advice: ClassVar[str]
    marks: ClassVar[frozenset[str]] = frozenset()
    explains: ClassVar[bool] = False

    def sentence(self, shared: LongWait) -> str:
        """When it is said, with the numbers that hold."""
        numbers = {one.name: one.unit.text(self.values[one.name]) for one in self.thresholds}
        common = {one.name: one.unit.text(shared.values[one.name]) for one in shared.thresholds}
        return self.when.format(**numbers, long_wait=SimpleNamespace(**common))

    @property
    def level(self) -> Level:
        """The surest that it says."""
        return self.levels[0]

    def about(self, node: Node, title: str, since_ns: int, where: str) -> Candidate:
        """A finding about one node, which nothing waits behind. `title`: without the place, which is `where`."""
        return Candidate(
            kind=self.kind,
            level=self.level,
            since_ns=since_ns,
            core=[node.id],
            about=[node.id],
            tell=lambda: Account(f"{title}{wording.at('at', where)}", f"{self.advice}.", where),
        )


class ReductionRule(Rule):
    """Reads what the reduction leaves, level by level. Its findings explain what waits behind them, too."""

    def find(self, context: RuleContext, residue: Residue) -> Iterable[Candidate]:
        raise NotImplementedError

    def roots(self, candidate: Candidate) -> Iterable[str]:
        """What those behind it wait for."""
        raise NotImplementedError


class LookRule(Rule):
    """Reads the nodes of a look, after the reduction. What it yields is explained before it goes on.

    `first`: it knows more than the reduction, and is asked before it.
    """

    first: ClassVar[bool] = False

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        raise NotImplementedError


class OutsideRule(Rule):
    """Its findings are made elsewhere, for they need more than the graph of one look. `made_in`: the module."""

    made_in: ClassVar[str]
