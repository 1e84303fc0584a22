# SPDX-License-Identifier: Apache-2.0
"""It has ended, but does not exit: what is stuck is told as what keeps the program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .. import semconv
from ..model import FindingKind, Node, NodeKind, own_line
from . import evidence, wording
from .dead_children import feeds_a_queue
from .rules.never_exits import NeverExits
from .rules.rule import Account, Candidate
from .wait_index import WaitIndex
from .wait_links import WAITERS

_ENDS = frozenset({FindingKind.PEER_NOT_READING, FindingKind.CHANNEL_FULL, FindingKind.CHANNEL_NOT_DRAINED})
"""Not retold where the main thread has only started others and come to its end: what is not read says more."""
_RETOLD = _ENDS | {
    FindingKind.NEVER_ENDS,
    FindingKind.CANCEL_IGNORED,
    FindingKind.LOCK_STARVED,
    FindingKind.SEMAPHORE_STARVED,
}
_FEEDER_ADVICE = (
    "Take everything from a queue before those who read it end, and stop putting into it once one has died; where what "
    "is left may be lost, call its `cancel_join_thread()`."
)
_INTERPRETER = "the interpreter"
_WAITS = {
    "asyncio.run": "asyncio.run() waits for it",
    _INTERPRETER: "the interpreter waits for it",
    "shutdown_default_executor": "the end of the loop's default executor waits for it",
    "multiprocessing": "the end of multiprocessing waits for it",
    "atexit": "a function of atexit waits for it",
}


def retold(graph: WaitIndex, candidates: Sequence[Candidate], threads: Sequence[Node]) -> list[Candidate]:
    """The same; those that the end of the program waits behind as what keeps it. `threads`: all of them."""
    ending = [thread for thread in threads if isinstance(thread.attributes.get(semconv.THREAD_ENDING), str)]
    if not ending:
        return list(candidates)
    return [_retold(graph, candidate, ending) for candidate in candidates]


def _retold(graph: WaitIndex, candidate: Candidate, ending: Sequence[Node]) -> Candidate:
    waiters = [one for one in candidate.core if one in graph.nodes and graph.nodes[one].kind in WAITERS]
    keeper = next((one for one in waiters if graph.nodes[one].attributes.get(semconv.THREAD_ENDING) is None), None)
    if candidate.kind is FindingKind.DEADLOCK:
        return _of_ring(graph, candidate, ending)
    if candidate.kind not in _RETOLD or keeper is None:
        return candidate
    behind = graph.behind(set(candidate.core))
    end = next((thread for thread in ending if thread.id in behind or _runs(graph, thread, keeper)), None)
    if end is None or (candidate.kind in _ENDS and end.attributes.get(semconv.THREAD_ENDING) == _INTERPRETER):
        return candidate
    return replace(candidate, kind=FindingKind.NEVER_EXITS, tell=lambda: _tell(graph, keeper, end, candidate.tell()))


def _of_ring(graph: WaitIndex, candidate: Candidate, ending: Sequence[Node]) -> Candidate:
    """A ring of two that the ending thread itself is in: nobody but the program, which has come to its end, could end
    the wait of what it waits for."""
    end = next((thread for thread in ending if thread.id in candidate.core), None)
    keepers = [one for one in candidate.core if one in graph.nodes and graph.nodes[one].kind in WAITERS]
    if end is None or len(keepers) != 2:
        return candidate
    keeper = next((one for one in keepers if one != end.id and one in graph.targets.get(end.id, ())), None)
    if keeper is None:
        return candidate
    # Its members are those that it has where the ring is not seen yet: one finding, not two in turn.
    members = [one for one in candidate.core if one != end.id]
    return replace(
        candidate,
        kind=FindingKind.NEVER_EXITS,
        core=members,
        tell=lambda: _tell(graph, keeper, end, candidate.tell(), ring=True),
    )


def _runs(graph: WaitIndex, end: Node, keeper: str) -> bool:
    """Whether it is a task of the loop that is being closed: all that are left were cancelled, and are waited for."""
    return end.attributes.get(semconv.THREAD_ENDING) == "asyncio.run" and graph.thread_of(keeper) == end.id


def _waits_to(graph: WaitIndex, keeper: str) -> str:
    """`waits to write to a pipe (fd 5), which only the program itself could end, after its end`."""
    waits = wording.waits_for(graph, keeper, next(iter(graph.targets.get(keeper, ())), ""))
    if feeds_a_queue(graph.nodes[keeper]):
        return f"{waits} what was put into a Queue of multiprocessing, and nobody reads it"
    return f"{waits}, which only the program itself could end, after its end"


def _tell(graph: WaitIndex, keeper: str, end: Node, account: Account, ring: bool = False) -> Account:
    node = graph.nodes[keeper]
    if ring:
        account = replace(account, blocked=list(dict.fromkeys([end.id, *account.blocked])))
    if ring or feeds_a_queue(node):
        account = replace(account, title=f"{wording.label(node)} {_waits_to(graph, keeper)}")
    if feeds_a_queue(node):
        account = replace(account, advice=_FEEDER_ADVICE)
    what = _WAITS.get(str(end.attributes.get(semconv.THREAD_ENDING)), "its end waits for it")
    name = wording.label(node)
    started = wording.at("started at", node.source) if node.kind is NodeKind.TASK else ""
    title = account.title.replace(name, f"{name},{started},", 1) if started else account.title
    told = end.wait is not None and own_line.is_line(end.wait.source)  # else the title has said all there is
    waits = keeper in graph.targets.get(end.id, ())
    links = [evidence.link(graph, end.id, keeper, None)] if told and waits else []
    return replace(
        account,
        title=f"the program has ended, but does not exit: {title}; {what}",
        advice=f"{NeverExits.advice}. {account.advice}",
        evidence=[*account.evidence, *links],
    )
