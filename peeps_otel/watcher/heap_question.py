# SPDX-License-Identifier: Apache-2.0
"""When to ask the heap who could end a wait. What its answers are good for: `heap_answers.py`.

Asked by itself, at most once at a time and within a budget: when a wait that nothing known will end has settled, and
longer than its line is used to.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from .. import native
from ..diagnosis.wait_index import WaitIndex
from ..model import NodeKind
from ..model.change import Change
from ..model.operations import operation
from ..own_log import OwnLog
from ..probes.heap.answer import Answer, BlockedThread
from ..probes.heap.copy_allowance import FOR_EVER_NS, CopyAllowance
from ..probes.heap.ender import Thing
from ..probes.heap.wakers import OF_AN_END, is_shown, wakers_of
from ..probes.probe import Observation
from .clock import SYSTEM_CLOCK, Clock
from .heap_answers import AskedHeap, HeapAnswers
from .heap_candidates import HeapCandidates
from .purse import Purse
from .runs_until_told import last_name

CHANGES = (
    Change(
        "a daemon thread `peeps-heap`",
        "asks a copy of the process, as in a leak proof, who could end a wait",
        "when a wait has settled that nothing known will end, within a budget",
        "ends with the answer",
        "`PEEPS_ENABLED`",
    ),
)

THREAD_NAME = "peeps-heap"
_ASKING = "peeps_otel.probes.heap.question"
_SECOND = 1_000_000_000
_SETTLED_NS = 3 * _SECOND
_TOGETHER_NS = 1 * _SECOND  # of a wait that is asked about along with a settled one, or that a verdict waits for
_THINGS_MOST = 500  # asked about at a time, as long as nothing says that more cost no more than the rest
_THINGS_LIMIT = 5000
_AGAIN_NS = 10 * _SECOND  # between two questions, at least
_PERMITS = (f"{NodeKind.SEMAPHORE}:", f"{NodeKind.LOCK}:")
_END_AGAIN_MOST_NS = 160 * _SECOND  # between two about the same far end
_WAITERS = (NodeKind.TASK, NodeKind.THREAD)
_logger = OwnLog()


@dataclass(slots=True)
class _UnderWay:
    """A question and what it may use. `charged_ns`: what has been paid for it."""

    asked: AskedHeap
    allowance: CopyAllowance
    charged_ns: int = 0
    is_slow: bool = False  # it has had to wait for its budget


class Objects(Protocol):
    """Where the objects behind nodes are found. On the watcher's thread."""

    def things(self, wanted: AbstractSet[str]) -> dict[str, Any]:
        """The object of each of these resource nodes that still lives. Let go of them at once."""
        ...

    def descriptors(self) -> dict[str, int]:
        """By node: the descriptors of the ends of connections that somebody in another process waits for."""
        ...

    def task_nodes(self, addresses: AbstractSet[int]) -> dict[int, str]:
        """The node of each task that was met at one of these addresses and still lives."""
        ...

    def thread_nodes(self) -> Mapping[int, str]:
        """The node of each thread, by ident."""
        ...


Ask = Callable[[list[Thing], list[BlockedThread], CopyAllowance], Answer]
"""How the heap is asked; the last: what a copy of the process may use."""


class HeapQuestion:
    """`lay` before a look is diagnosed, `look` after; both on the watcher's thread. `ask`: how the heap is asked, on a
    thread of ours. `forked_from`: the process that had threads which are not here; None: there is no such."""

    def __init__(
        self,
        objects: Objects,
        ask: Ask | None = None,
        answered: Callable[[], None] = lambda: None,
        forked_from: int | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._clock = clock
        self._objects, self._answered = objects, answered
        self._answers = HeapAnswers(forked_from)
        self._candidates = HeapCandidates()
        self.ask: Ask = ask or partial(_ask, forked=forked_from is not None)
        self._end_due_ns: dict[str, tuple[int, int]] = {}  # by far end: when it may be asked about, and the next pause
        self._answer: tuple[AskedHeap, Answer] | None = None
        self._busy = self._wanted = self._hurries = False
        self.can_be_later: Callable[[int, int], bool] = _never
        """Whether a wait that began then, with nobody waiting for who waits, need not be asked about now: along with
        others, in doubt or on request it is."""
        self.started: Callable[..., None] = _on_a_thread
        """How a question is asked beside the look: called with a function and its arguments."""
        self.settled_ns = _SETTLED_NS
        """A wait that is younger is not asked about, unless along with an older one."""
        self.purse = Purse(0.0, 0)
        """What questions are paid from, in the copies of the process too."""
        self._things_most = _THINGS_MOST
        self._expected_ns = 0  # what the last one cost: so much will the next one
        self._asking_ns = 0  # of it that of our thread that asked, which cannot be cut
        self._under_way: _UnderWay | None = None
        self._saves_for = self._leaves = False
        self.spent_ns = 0
        """Processor time of all questions so far, in the copies of the process too."""
        self._next_ns = 0
        self.not_asked = ""
        self.asked = 0
        """How many things the heap was asked about so far."""

    @property
    def is_busy(self) -> bool:
        """Whether a question is under way."""
        return self._busy

    @property
    def is_under_way(self) -> bool:
        """Whether a question has not led to findings yet, because it or the look after its answer is still to come."""
        return self._busy or self._answer is not None

    def lay(self, observation: Observation) -> None:
        """Adds what is known from answers that still hold to the nodes and edges of a look."""
        answered, self._answer = self._answer, None
        if answered is not None:
            self._take(observation, *answered)
        if self.not_asked:
            observation.coverage.append(f"heap: not asked who could end a wait: {self.not_asked}")
        elif self._saves_for:
            yet = " yet" if self.purse.is_payable(self._expected_ns) else ""
            seconds = self._expected_ns / 1e9
            observation.coverage.append(
                f"heap: not asked{yet} who could end some waits: a question takes {seconds:.1f} s of processor time"
            )
        elif self._under_way is not None and self._under_way.is_slow:
            observation.coverage.append("heap: who could end some waits is being asked, as slowly as the budget allows")
        elif self._leaves:
            observation.coverage.append(
                "heap: not asked yet who could end some waits that began with the program, which is busy"
            )
        self._answers.lay(observation)

    def _take(self, observation: Observation, asked: AskedHeap, answer: Answer) -> None:
        self._expected_ns = answer.cpu_ns + self._asking_ns
        self._charge(self._expected_ns)
        self._under_way = None
        self.purse.asked()
        self._things_most = _affordable(answer)
        self.not_asked = answer.not_asked
        if not answer.not_asked:
            self._answers.take(observation, asked, answer)

    def pace(self) -> None:
        """Now and then, while a question is under way: pays for what it has used, and lets it use more."""
        under_way = self._under_way
        if under_way is None:
            return
        self._charge(under_way.allowance.used_ns)
        if self._hurries or under_way.asked.for_somebody:
            self._hurries, under_way.asked.for_somebody = False, True
            under_way.allowance.allow(FOR_EVER_NS)
        else:
            room_ns = self.purse.question_ns(self._clock.monotonic_ns())
            under_way.allowance.allow(under_way.charged_ns + room_ns)
            under_way.is_slow |= under_way.allowance.is_spent
        if not self._busy and self._answer is None:  # it has failed
            self._under_way = None

    def _charge(self, used_ns: int) -> None:
        """So much has the question used by now. What is spent on who is looking is beyond the budget."""
        under_way = self._under_way
        if under_way is None or used_ns <= under_way.charged_ns:
            return
        more_ns, under_way.charged_ns = used_ns - under_way.charged_ns, used_ns
        self.spent_ns += more_ns
        if not under_way.asked.for_somebody:
            self.purse.charge(self._clock.monotonic_ns(), more_ns)

    def note(self, changed: AbstractSet[str] | None) -> None:
        """These nodes of the index are not as they were; None: any may be. At each look, also one that does not ask."""
        self._candidates.note(changed)

    def look(
        self, observation: Observation, waits: WaitIndex, now_ns: int, changed: AbstractSet[str] | None = None
    ) -> None:
        """Asks, where there is something to ask and the budget allows it. `waits`: who waits, and what for; `changed`:
        what has not been noted yet."""
        self.note(changed)
        clock_ns = self._clock.monotonic_ns()
        if self.is_under_way or clock_ns < self._next_ns:
            return  # an answer that has come during this look is laid at the next: it may be the one to what is open
        waiting = self._worth_asking(waits, now_ns) | self._far_ends(observation, clock_ns)
        self._saves_for = (
            bool(waiting) and not self._wanted and not self.purse.can_ask(clock_ns, self._expected_ns, self._asking_ns)
        )
        if self._saves_for:
            self._next_ns = clock_ns + _AGAIN_NS
            return
        wanted, self._wanted, self._hurries = self._wanted, False, False
        if waiting:
            self._next_ns = clock_ns + _AGAIN_NS
            self._begin(observation, waiting, now_ns, wanted)

    def request(self) -> None:
        """Somebody asks what is stuck: what has settled is asked about at the next look, beyond the budget if need be,
        for a person waits. On any thread."""
        self._next_ns = 0
        self._wanted = self._hurries = True

    def _worth_asking(self, waits: WaitIndex, now_ns: int) -> dict[str, frozenset[str]]:
        """The things whose waiters nothing known will wake, with those who wait; the oldest first."""
        candidates = self._candidates.of(waits)
        unknown = [
            (one.since_ns, thing, one.waiters)
            for thing, one in candidates.items()
            if now_ns - one.since_ns >= _TOGETHER_NS and not self._answers.is_known_for(thing, one.waiters)
        ]
        in_doubt = any(_may_be_given_back(waits, one) for _, one, _ in unknown if not self._answers.is_known(one))
        found: dict[str, frozenset[str]] = {}
        later: dict[str, frozenset[str]] = {}
        self._leaves = False
        for since_ns, thing, waiters in sorted(unknown, key=lambda one: one[:2]):
            # One picture serves all: what has nearly settled is asked about along with what has.
            least_ns = min(_TOGETHER_NS, self.settled_ns) if found or in_doubt else self.settled_ns
            if now_ns - since_ns < least_ns or len(found) >= self._things_most:
                break
            hurries = found or in_doubt or self._wanted or any(waits.waiters.get(one) for one in waiters)
            if not hurries and self.can_be_later(since_ns, now_ns):
                later[thing] = waiters
            else:
                found[thing] = waiters
        if found:  # one picture serves these, too
            found |= dict(list(later.items())[: self._things_most - len(found)])
        self._leaves = bool(later) and not found
        return found

    def _far_ends(self, observation: Observation, clock_ns: int) -> dict[str, frozenset[str]]:
        """The ends of connections for which somebody waits in another process, and of which no answer holds. Those who
        have it go on more often than not: it is asked again ever more seldom."""
        ends = self._objects.descriptors()
        for gone in self._end_due_ns.keys() - ends.keys():
            del self._end_due_ns[gone]
        found: dict[str, frozenset[str]] = {}
        for node_id in ends:
            due_ns, pause_ns = self._end_due_ns.get(node_id, (0, _AGAIN_NS))
            if node_id in observation.nodes and not self._answers.is_known(node_id) and clock_ns >= due_ns:
                found[node_id] = frozenset()
                self._end_due_ns[node_id] = (clock_ns + pause_ns, min(2 * pause_ns, _END_AGAIN_MOST_NS))
        return found

    def _begin(
        self, observation: Observation, waiting: dict[str, frozenset[str]], now_ns: int, for_somebody: bool
    ) -> None:
        objects = self._objects.things(waiting.keys())
        ends = self._objects.descriptors()
        things: list[Thing] = []
        kept: dict[str, frozenset[str]] = {}
        for thing_id, waiters in waiting.items():
            thing = objects.get(thing_id)
            if thing_id in ends:
                things.append(Thing((), "", OF_AN_END, ends[thing_id]))
                kept[thing_id] = waiters
            elif thing is not None and is_shown(type(thing).__module__):
                node = observation.nodes[thing_id]
                drains = _drains(observation, waiters)
                wakers = wakers_of(node.kind, type(thing).__module__, any(drains), not all(drains))
                things.append(Thing((id(thing),), type(thing).__name__, wakers, name=last_name(node)))
                kept[thing_id] = waiters
            del thing
        objects.clear()
        if not things:
            return
        steps = {node.id: node.steps for node in observation.nodes.values() if node.kind in _WAITERS and node.wait}
        threads = dict(self._objects.thread_nodes())
        blocked: list[BlockedThread] = []
        for ident, node_id in threads.items():
            node = observation.nodes.get(node_id)
            if node is not None and node.wait is not None:
                blocked.append(BlockedThread(ident, node.name))
        asked = AskedHeap(now_ns, kept, steps, threads, self._objects.task_nodes, for_somebody)
        self._busy = True
        self.asked += len(things)
        allowance = CopyAllowance()
        self._under_way = _UnderWay(asked, allowance)
        self.pace()
        self.started(self._run, asked, things, blocked, allowance)

    def _run(
        self, asked: AskedHeap, things: list[Thing], blocked: list[BlockedThread], allowance: CopyAllowance
    ) -> None:
        began_ns = time.thread_time_ns()
        try:
            answer = self.ask(things, blocked, allowance)
            self._asking_ns = time.thread_time_ns() - began_ns
            self._answer = asked, answer
        except Exception:
            _logger.warning("peeps: a question to the heap failed; the program is not affected", exc_info=True)
        finally:
            self._busy = False
            self._answered()


def _affordable(answer: Answer) -> int:
    """About how many things to ask at a time: as many as cost what the picture does that serves them all."""
    if not answer.enders or not answer.things_ns:
        return _THINGS_MOST
    rest_ns = max(0, answer.cpu_ns - answer.things_ns)
    return min(_THINGS_LIMIT, max(_THINGS_MOST, rest_ns * len(answer.enders) // answer.things_ns))


def _ask(things: list[Thing], threads: list[BlockedThread], allowance: CopyAllowance, *, forked: bool) -> Answer:
    """What asks is loaded now: many a program ends before there is anything to ask."""
    return native.importing.load(_ASKING).ask(things, threads, allowance, forked=forked)


def _on_a_thread(function: Callable[..., None], *arguments: Any) -> None:
    native.Thread(function, THREAD_NAME, *arguments).start()


def _never(_since_ns: int, _now_ns: int) -> bool:
    return False


def _may_be_given_back(waits: WaitIndex, thing: str) -> bool:
    """Whether it is a permit or a lock that a bare `acquire()` took and whose holders all wait: a ring through it is
    sure only once it is known who else gives it back."""
    holders = waits.bare.get(thing) if thing.startswith(_PERMITS) else None
    return holders is not None and all(one in waits.targets for one in holders)


def _drains(observation: Observation, waiters: AbstractSet[str]) -> list[bool]:
    """Of each of these, whether it waits until everything in a queue is done."""
    waits = [node.wait for one in waiters if (node := observation.nodes.get(one)) is not None]
    return [wait is not None and operation(wait.operation).drains for wait in waits] or [False]
