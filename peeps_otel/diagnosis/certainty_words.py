# SPDX-License-Identifier: Apache-2.0
"""Why a finding is as sure as it is, in one line: what makes it surer or less sure than the next level.

It is only said here. At which level a wait can be concluded from is decided by `wait_index.py`, what is left there by
`reduction.py`, and that it stood through two looks by `diagnoser.py`.
"""

from __future__ import annotations

from ..model import FindingKind, Level

_OF_LEVEL = {
    Level.PROVEN: "only those named here could end these waits, none of them can, and none moved between two looks",
    Level.LIKELY: "nobody who is known can end it; it would be PROVEN if nobody unknown could",
    Level.SUSPECT: "it has lasted too long; it would be LIKELY if nobody who is known could still end it",
    Level.SLOW: "it goes on, slowly; it would be SUSPECT if nothing moved",
}
_OF_KIND = {
    (FindingKind.NEVER_ENDS, Level.PROVEN): "nothing that can still run reaches what it waits for",
    (FindingKind.NEVER_ENDS, Level.LIKELY): (
        "nobody who reaches what it waits for has code left that would end the wait; it would be PROVEN if nobody who "
        "can run reached it"
    ),
    (FindingKind.NEVER_EXITS, Level.PROVEN): "nothing that can still run reaches what it waits for",
    (FindingKind.NEVER_EXITS, Level.SUSPECT): (
        "it has kept the program too long; it would be LIKELY if nobody who is known could still end its wait"
    ),
    (FindingKind.NEVER_EXITS, Level.SLOW): "it may still clean up; it would be SUSPECT if it took longer",
    (FindingKind.LEAK, Level.PROVEN): "the whole heap was searched: nothing that can still run reaches it",
    (FindingKind.LEAK, Level.LIKELY): "it would be PROVEN if the whole heap could have been searched",
    **{
        (kind, Level.PROVEN): "the heap was searched: nobody else who can still run reaches what is waited for"
        for kind in (FindingKind.CHANNEL_FULL, FindingKind.LOCK_STARVED, FindingKind.SEMAPHORE_STARVED)
    },
    (FindingKind.HELD_AT_FORK, Level.PROVEN): "its holder is a thread of the process that forked: it is not here",
    (FindingKind.HELD_AT_FORK, Level.LIKELY): (
        "its holder is a thread of the process that forked; it would be PROVEN of a lock that nobody else can release"
    ),
    (FindingKind.CHANNEL_FULL, Level.LIKELY): (
        "all who are seen with the queue are stuck; it would be PROVEN if nobody else could take from it"
    ),
    (FindingKind.LOST_WAKEUP, Level.LIKELY): (
        "what it waits for is there, and nobody wakes it; it would be PROVEN if nothing could wake it any more"
    ),
    (FindingKind.LOST_WAKEUP, Level.SUSPECT): (
        "its loop sleeps although it has something to do; it would be LIKELY if nothing else could wake it"
    ),
    (FindingKind.LOOP_BLOCKED, Level.SUSPECT): (
        "one callback has kept the loop too long; it would be LIKELY if nothing could end the call it is in"
    ),
    (FindingKind.NEVER_YIELDS, Level.SUSPECT): (
        "one step of a task has taken too long; it would be LIKELY if nothing could end what it does"
    ),
    (FindingKind.PROCESS_SILENT, Level.SUSPECT): (
        "it is alive and sends nothing; what it does is not seen, so nothing surer can be said"
    ),
    (FindingKind.PEER_NOT_READING, Level.SUSPECT): (
        "the bytes there have stood still for long; it would be LIKELY if all who could read them were known and stuck"
    ),
    (FindingKind.NOTHING_MOVES, Level.SUSPECT): (
        "no task or thread has gone on for long; it would be LIKELY if nobody outside the program could end these waits"
    ),
    (FindingKind.POOL_EXHAUSTED, Level.LIKELY): (
        "all who have what the pool lent are known, and each waits for it again; it would be PROVEN if nobody could "
        "enlarge or close the pool"
    ),
    (FindingKind.POOL_EXHAUSTED, Level.SUSPECT): (
        "nothing has moved at the pool for too long; it would be LIKELY if each holder were known to wait for it again"
    ),
    (FindingKind.POOL_EXHAUSTED, Level.SLOW): (
        "holders may still go on; it would be SUSPECT if nothing moved at the pool for longer"
    ),
    (FindingKind.PEER_NOT_READING, Level.SLOW): (
        "the bytes there have not stood still for long; it would be SUSPECT if they did"
    ),
    (FindingKind.CHANNEL_NOT_DRAINED, Level.SLOW): (
        "a consumer that is not seen may be at work on an item; it would be SUSPECT if none were left"
    ),
    (FindingKind.CHANNEL_NOT_DRAINED, Level.SUSPECT): (
        "nothing has changed in the queue for long; it would be LIKELY if nobody could take from it or finish any more"
    ),
    (
        FindingKind.TIMES_OUT,
        Level.SLOW,
    ): "its deadline will end it; it would be SUSPECT if waits there ended so again and again",
    (FindingKind.CALL_ABANDONED, Level.SLOW): (
        "the handler goes on; it would be SUSPECT if it were known to do so for ever"
    ),
    (FindingKind.CALL_UNANSWERED, Level.SUSPECT): (
        "nothing is seen to go on at the other end; it would be LIKELY if nobody there could answer any more"
    ),
    (FindingKind.CALL_UNANSWERED, Level.SLOW): "it may still be answered; it would be SUSPECT if it took much longer",
    (FindingKind.ORDER_RISK, Level.SLOW): "it has not happened yet; it would be PROVEN once two meet in the middle",
    (FindingKind.TASK_DESTROYED, Level.SLOW): "it was reported by Python itself, and nothing waits because of it now",
    (FindingKind.EXCEPTION_NEVER_RETRIEVED, Level.SLOW): (
        "it was reported by Python itself, and nothing waits because of it now"
    ),
}


def certainty(kind: str, level: str) -> str:
    """A clause without a full stop; empty for a level that is not known."""
    try:
        sure = Level(level)
    except ValueError:
        return ""
    return _OF_KIND.get((FindingKind(kind), sure), _OF_LEVEL[sure]) if kind in set(FindingKind) else _OF_LEVEL[sure]
