# SPDX-License-Identifier: Apache-2.0
"""The blame profile: time spent waiting, charged to the code that had what was waited for.

A wait says where the waiter stood. What helps is where the holder stood: its code made the others wait. And where the
holder itself waited for somebody meanwhile, that share is passed on, and so on down to whoever really worked or slept
(the cascaded redistribution of wPerf, OSDI '18). Every nanosecond waited is charged exactly once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

Stack: TypeAlias = tuple[str, ...]
"""Frames as text, outermost first."""

UNKNOWN = "(nobody known)"
SEVERAL = "(too many in a row)"
_HOPS = 16


class Holder(NamedTuple):
    """Who had it when the wait began. `who`: as in `Wait.waiter`; `site`: `path:line` where it was taken."""

    who: str
    site: str


class Wait(NamedTuple):
    """One wait, finished or cut off at the end of the time looked at. Nanoseconds of one clock.

    `resource`: what was waited for, in words. `wanted`: whether it is something that others can have (a lock, a permit,
    room in a queue, a task's end); what merely has not come yet (an item, a timer, the network) is not. `waker`:
    `path:line` of what ended the wait, empty where it was not seen.
    """

    waiter: str
    began_ns: int
    ended_ns: int
    site: str
    resource: str
    wanted: bool
    holders: tuple[Holder, ...] = ()
    stack: Stack = ()
    waker: str = ""


class Charge(NamedTuple):
    """`ns` of waiting at `waiter_site` for `resource` that the code at `holder_site` is to blame for.

    `waits`: how many contributed, `hops`: how many waits it was passed on through, at most; 0: by its direct holder.
    `holder_stack`: what the one to blame did, where that is known.
    """

    waiter_site: str
    resource: str
    holder_site: str
    waiter_stack: Stack
    holder_stack: Stack
    ns: int
    waits: int
    hops: int


class _Share(NamedTuple):
    holder_site: str
    holder_stack: Stack
    ns: int
    hops: int


def charge(waits: Sequence[Wait], wanted_only: bool = True, pause: Callable[[], None] = lambda: None) -> list[Charge]:
    """Who is to blame, most first. Their sum is the sum of the waits (`wanted_only`: of those that are `wanted`).

    `pause` is called now and then. About linear: each wait looks at those of its holders that overlap it.
    """
    by_waiter = _by_waiter(waits)
    totals: dict[tuple[str, str, str, Stack, Stack], list[int]] = {}
    for number, wait in enumerate(waits):
        if number % 200 == 0:
            pause()
        if wait.ended_ns <= wait.began_ns or (wanted_only and not wait.wanted):
            continue
        counted: set[tuple[str, str, str, Stack, Stack]] = set()
        for share in _shares(wait, wait.began_ns, wait.ended_ns, by_waiter, (wait.waiter,)):
            key = (wait.site, wait.resource, share.holder_site, wait.stack, share.holder_stack)
            total = totals.setdefault(key, [0, 0, 0])
            total[0] += share.ns
            total[1] += key not in counted
            total[2] = max(total[2], share.hops)
            counted.add(key)
    charges = [Charge(*key, *total) for key, total in totals.items()]
    return sorted(charges, key=lambda c: (-c.ns, c.holder_site, c.waiter_site, c.resource))


class Row(NamedTuple):
    """One line of the table: all that the code at `holder_site` is to blame for. `direct_ns`: without what was passed
    on; `waiters`: sites that waited, most first, with their nanoseconds."""

    holder_site: str
    ns: int
    direct_ns: int
    waits: int
    resources: tuple[str, ...]
    waiters: tuple[tuple[str, int], ...]


def table(charges: Iterable[Charge]) -> list[Row]:
    """By the code to blame, most first."""
    by_site: dict[str, list[Charge]] = {}
    for one in charges:
        by_site.setdefault(one.holder_site, []).append(one)
    rows: list[Row] = []
    for site, ones in by_site.items():
        waiters = _most({c.waiter_site: sum(o.ns for o in ones if o.waiter_site == c.waiter_site) for c in ones})
        resources = _most({c.resource: sum(o.ns for o in ones if o.resource == c.resource) for c in ones})
        rows.append(
            Row(
                site,
                sum(c.ns for c in ones),
                sum(c.ns for c in ones if c.hops == 0),
                sum(c.waits for c in ones),
                tuple(name for name, _ in resources),
                tuple(waiters),
            )
        )
    return sorted(rows, key=lambda row: (-row.ns, row.holder_site))


def _most(amounts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(amounts.items(), key=lambda item: (-item[1], item[0]))


_Index: TypeAlias = Mapping[str, tuple[list[int], list[Wait]]]


def _by_waiter(waits: Iterable[Wait]) -> _Index:
    """The waits of each waiter in order of time, with their ends. A waiter waits for one thing at a time."""
    found: dict[str, list[Wait]] = {}
    for wait in waits:
        found.setdefault(wait.waiter, []).append(wait)
    index: dict[str, tuple[list[int], list[Wait]]] = {}
    for waiter, ones in found.items():
        ones.sort(key=lambda wait: (wait.began_ns, wait.ended_ns))
        apart: list[Wait] = []
        for wait in ones:
            if not apart or wait.began_ns >= apart[-1].ended_ns:
                apart.append(wait)
            elif wait.ended_ns > apart[-1].ended_ns:
                apart.append(wait._replace(began_ns=apart[-1].ended_ns))
        index[waiter] = ([wait.ended_ns for wait in apart], apart)
    return index


def _shares(wait: Wait, began_ns: int, ended_ns: int, index: _Index, on_the_way: tuple[str, ...]) -> list[_Share]:
    """The part of `wait` from `began_ns` to `ended_ns`, divided among those to blame."""
    if not wait.holders:
        known = wait.waker if len(on_the_way) == 1 else wait.site
        return [_Share(known or UNKNOWN, wait.stack if len(on_the_way) > 1 else (), ended_ns - began_ns, 0)]
    if len(on_the_way) > _HOPS:
        return [_Share(SEVERAL, (), ended_ns - began_ns, 0)]
    shares: list[_Share] = []
    length = ended_ns - began_ns
    for number, holder in enumerate(wait.holders):
        # Several holders of a semaphore divide the time; the cuts add up to the whole.
        begin = began_ns + length * number // len(wait.holders)
        end = began_ns + length * (number + 1) // len(wait.holders)
        part = end - begin
        if part:
            scale = _scaled(_of_holder(holder, began_ns, ended_ns, index, on_the_way), part)
            shares += scale
    return shares


def _of_holder(
    holder: Holder, began_ns: int, ended_ns: int, index: _Index, on_the_way: tuple[str, ...]
) -> list[_Share]:
    """What the holder did in this time: its own waits passed on, the rest its own."""
    own = ended_ns - began_ns
    shares: list[_Share] = []
    if holder.who not in on_the_way:
        ends, waits = index.get(holder.who, ([], []))
        for position in range(bisect_left(ends, began_ns + 1), len(waits)):
            one = waits[position]
            begin, end = max(one.began_ns, began_ns), min(one.ended_ns, ended_ns)
            if begin >= end:
                break
            passed = _shares(one, begin, end, index, (*on_the_way, holder.who))
            # Where nobody has what the holder waits for, the holder's own code chose to wait there.
            shares += [share._replace(hops=share.hops + bool(one.holders)) for share in passed]
            own -= end - begin
    if own:
        shares.append(_Share(holder.site or UNKNOWN, (), own, 0))
    return shares


def _scaled(shares: list[_Share], ns: int) -> list[_Share]:
    """The shares in proportion, adding up to exactly `ns`."""
    whole = sum(share.ns for share in shares)
    if whole == ns:
        return shares
    result: list[_Share] = []
    given = seen = 0
    for share in shares:
        seen += share.ns
        upto = ns * seen // whole
        if upto > given:
            result.append(share._replace(ns=upto - given))
        given = upto
    return result
