# SPDX-License-Identifier: Apache-2.0
"""Which processes of a family have died, where what they share is never given, set or read any more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from .. import semconv
from ..model import FindingKind, Node, NodeKind
from .rules.rule import Account, Candidate
from .wait_index import WaitIndex

_TOLD_OF = frozenset(
    {
        FindingKind.DEADLOCK,
        FindingKind.NEVER_ENDS,
        FindingKind.NEVER_EXITS,
        FindingKind.LOCK_STARVED,
        FindingKind.SEMAPHORE_STARVED,
        FindingKind.CHANNEL_FULL,
    }
)
_FEEDER = ("multiprocessing/queues.py", "Queue._feed")


def feeds_a_queue(node: Node) -> bool:
    """Whether it is the thread that writes what was put into a `multiprocessing.Queue`."""
    file, function = _FEEDER
    return node.kind is NodeKind.THREAD and any(
        frame.function == function and frame.file.replace("\\", "/").endswith(file) for frame in node.stack
    )


def with_dead_children(graph: WaitIndex, candidate: Candidate, account: Account) -> Account:
    """The same, with those that have died of the processes that the threads concerned have started."""
    if candidate.kind not in _TOLD_OF:
        return account
    members = [node for one in candidate.core if (node := graph.nodes.get(one)) is not None]
    if not any(_is_shared(node) for node in members):
        return account
    died = next(_died(graph, members, account), "")
    return replace(account, title=f"{account.title}; {died}") if died and died not in account.title else account


def _is_shared(node: Node) -> bool:
    return semconv.RESOURCE_SHARED_WITH in node.attributes or feeds_a_queue(node)


def _died(graph: WaitIndex, members: Iterable[Node], account: Account) -> Iterator[str]:
    behind = (node for one in account.blocked if (node := graph.nodes.get(one)) is not None)
    for node in (*members, *behind):
        died = node.attributes.get(semconv.THREAD_CHILDREN_DIED)
        if isinstance(died, str):
            yield died
