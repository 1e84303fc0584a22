# SPDX-License-Identifier: Apache-2.0
"""The reduction of peeps_otel.diagnosis on arrays, for graphs of many thousand waits.

The same answer as `peeps_otel.diagnosis.reduction.residue`, which a program uses for itself: it must not need NumPy.
Nearly everything is live after a sweep or two over all edges, which sort nothing. What resists is indexed by provider:
what became live in one round is a set of rows, whose edges are read in one go. Where a round has only a few rows, as
along a chain, arrays cost more than they save: then one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from peeps_otel.diagnosis.reduction import Requirement, residue

_ARRAYS_FROM = 2000
_ROUND_FROM = 64
_SWEEP_WHILE_LEFT = 0.5
Whole = NDArray[np.int64]
Mask = NDArray[np.bool_]


def residue_of_many(conditions: Mapping[str, Requirement]) -> set[str]:
    """The nodes of `conditions` that can never become live. Linear in nodes and edges."""
    if len(conditions) < _ARRAYS_FROM:
        return residue(conditions)
    index = {node: number for number, node in enumerate(conditions)}
    find, size = index.get, len(index)
    all_of = conditions.values()
    degree = np.fromiter((len(condition[1]) for condition in all_of), np.int64, size)
    needs = np.fromiter((condition[0] for condition in all_of), np.int64, size)
    # One row more than there are conditions: whatever has none is live.
    provider = np.array([find(p, size) for p in chain.from_iterable(c[1] for c in all_of)], dtype=np.int64)
    waiter = np.repeat(np.arange(size), degree)
    gate = np.fromiter((find(condition[2] or "", size) for condition in all_of), np.int64, size)
    conditioned = np.ones(size + 1, np.bool_)
    conditioned[size] = False
    stuck = stuck_rows(conditioned, np.append(needs, 0), provider, waiter, np.append(gate, size))
    names = list(index)
    return {names[row] for row in np.flatnonzero(stuck).tolist()}


def stuck_rows(conditioned: Mask, k: Whole, provider: Whole, waiter: Whole, gate: Whole) -> Mask:
    """The rows that can never become live.

    `conditioned`: the rows that are not live by themselves; `k`: how many of its providers each of them needs;
    `provider`, `waiter`: the edges, each as often as it counts, those of rows that are live included; `gate`: by row,
    the row of the thread that must be live too, or any row that is not conditioned.
    """
    stuck, missing = conditioned.copy(), k.copy()
    of_stuck = stuck[waiter]
    provider, waiter = provider[of_stuck], waiter[of_stuck]
    while True:
        inside = stuck[provider]
        missing -= np.bincount(waiter[~inside], minlength=len(stuck))
        came = stuck & (missing <= 0) & ~stuck[gate]
        if not came.any():
            return stuck
        stuck &= ~came
        before = len(provider)
        inside &= stuck[waiter]
        provider, waiter = provider[inside], waiter[inside]
        if len(provider) > before * _SWEEP_WHILE_LEFT:
            return _in_rounds(stuck, missing, provider, waiter, gate, came)


class _Dependents:
    """Who waits for each row, as one array with the beginning of each row's part."""

    def __init__(self, provider: Whole, waiter: Whole, size: int) -> None:
        both = np.sort((provider << 32) | waiter)  # several times faster than an argsort
        self.rows: Whole = both & 0xFFFFFFFF
        self.begin: Whole = np.zeros(size + 1, np.int64)
        np.cumsum(np.bincount(provider, minlength=size), out=self.begin[1:])

    def of(self, rows: Whole) -> Whole:
        """The dependents of all of them; one that waits for several of them comes several times."""
        first, count = self.begin[rows], self.begin[rows + 1] - self.begin[rows]
        offset = np.repeat(first - np.concatenate(([0], np.cumsum(count)[:-1])), count)
        return self.rows[offset + np.arange(count.sum())]


def _in_rounds(stuck: Mask, missing: Whole, provider: Whole, waiter: Whole, gate: Whole, came: Mask) -> Mask:
    """Goes on from a sweep by counters. `came`: what it made live, whose edges are still in `provider`."""
    while (more := stuck & (missing <= 0) & ~stuck[gate]).any():  # their thread was the last thing they lacked
        came, stuck = came | more, stuck & ~more
    live = ~stuck
    degree = np.bincount(waiter, minlength=len(live))
    gated = _surcharge(missing, degree, gate, np.flatnonzero(stuck & stuck[gate]))
    dependents = _Dependents(provider, waiter, len(live))
    fresh: Whole = np.flatnonzero(came)
    while len(fresh) >= _ROUND_FROM:
        touched = dependents.of(fresh)
        np.subtract.at(missing, touched, 1)
        for thread in gated.keys() & set(fresh.tolist()) if gated else ():
            tasks = gated.pop(thread)
            missing[tasks] -= 1 + degree[tasks]
            touched = np.concatenate((touched, tasks))
        touched = touched[(missing[touched] <= 0) & ~live[touched]]
        live[touched] = True
        fresh = np.unique(touched)
    if len(fresh):
        _one_by_one(fresh.tolist(), missing, degree, live, dependents, gated)
    return ~live


def _surcharge(missing: Whole, degree: Whole, gate: Whole, tasks: Whole) -> dict[int, Whole]:
    """The tasks of each stuck thread. They get a surcharge that their providers alone cannot pay."""
    missing[tasks] = np.maximum(missing[tasks], 0) + 1 + degree[tasks]
    threads = gate[tasks]
    return {int(thread): tasks[threads == thread] for thread in np.unique(threads)}


def _one_by_one(
    work: list[int], needs: Whole, degree: Whole, live: Mask, dependents: _Dependents, gated: dict[int, Whole]
) -> None:
    """Goes on from `work`; writes into `live`."""
    missing: list[int] = needs.tolist()
    alive: list[bool] = live.tolist()
    begin: list[int] = dependents.begin.tolist()
    rows: list[int] = dependents.rows.tolist()
    while work:
        row = work.pop()
        for dependent in rows[begin[row] : begin[row + 1]]:
            missing[dependent] -= 1
            if missing[dependent] <= 0 and not alive[dependent]:
                alive[dependent] = True
                work.append(dependent)
        tasks = gated.pop(row, None)
        for task in () if tasks is None else tasks.tolist():
            missing[task] -= 1 + int(degree[task])
            if missing[task] <= 0 and not alive[task]:
                alive[task] = True
                work.append(task)
    live[:] = alive
