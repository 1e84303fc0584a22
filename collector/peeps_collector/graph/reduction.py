# SPDX-License-Identifier: Apache-2.0
"""The reduction of peeps_otel.diagnosis on arrays, for graphs of many thousand waits.

The same answer as `peeps_otel.diagnosis.reduction.residue`, which a program uses for itself: it must not need NumPy.
What became live in one round is a set of rows; their edges are read in one go. Where a round has only a few rows, as
along a chain, arrays cost more than they save: then one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from peeps_otel.diagnosis.reduction import Condition, residue

_ARRAYS_FROM = 2000
_ROUND_FROM = 64
Whole = NDArray[np.int64]


def residue_of_many(conditions: Mapping[str, Condition]) -> set[str]:
    """The nodes of `conditions` that can never become live. Linear in nodes and edges."""
    if len(conditions) < _ARRAYS_FROM:
        return residue(conditions)
    index = {node: number for number, node in enumerate(conditions)}
    find, size = index.get, len(index)
    all_of = conditions.values()
    degree = np.fromiter((len(condition[1]) for condition in all_of), np.int64, size)
    needs = np.fromiter((condition[0] for condition in all_of), np.int64, size)
    provider = np.array([find(p, -1) for p in chain.from_iterable(c[1] for c in all_of)], dtype=np.int64)
    waiter = np.repeat(np.arange(size), degree)
    inside = provider >= 0
    needs -= np.bincount(waiter[~inside], minlength=size)
    dependents = _Dependents(provider[inside], waiter[inside], size)
    gated = _gate(conditions, index, needs, degree)
    return _reduce(list(index), needs, degree, dependents, gated)


class _Dependents:
    """Who waits for each row, as one array with the beginning of each row's part."""

    def __init__(self, provider: Whole, waiter: Whole, size: int) -> None:
        order = np.argsort(provider, kind="stable")
        self.rows: Whole = waiter[order]
        self.begin: Whole = np.zeros(size + 1, np.int64)
        np.cumsum(np.bincount(provider, minlength=size), out=self.begin[1:])

    def of(self, rows: Whole) -> Whole:
        """The dependents of all of them; one that waits for several of them comes several times."""
        first, count = self.begin[rows], self.begin[rows + 1] - self.begin[rows]
        offset = np.repeat(first - np.concatenate(([0], np.cumsum(count)[:-1])), count)
        return self.rows[offset + np.arange(count.sum())]


def _gate(
    conditions: Mapping[str, Condition], index: Mapping[str, int], needs: Whole, degree: Whole
) -> dict[int, list[int]]:
    """The tasks of each stuck thread. They get a surcharge that their providers alone cannot pay."""
    gated: dict[int, list[int]] = {}
    for row, condition in enumerate(conditions.values()):
        thread = condition[2]
        if thread is not None and thread in index:
            gated.setdefault(index[thread], []).append(row)
            needs[row] += 1 + degree[row]
    return gated


def _reduce(
    names: list[str], needs: Whole, degree: Whole, dependents: _Dependents, gated: dict[int, list[int]]
) -> set[str]:
    live = needs <= 0
    fresh: Whole = np.flatnonzero(live)
    while len(fresh) >= _ROUND_FROM:
        touched = dependents.of(fresh)
        np.subtract.at(needs, touched, 1)
        for thread in gated.keys() & set(fresh.tolist()) if gated else ():
            tasks = np.array(gated.pop(thread))
            needs[tasks] -= 1 + degree[tasks]
            touched = np.concatenate((touched, tasks))
        touched = np.unique(touched)
        fresh = touched[(needs[touched] <= 0) & ~live[touched]]
        live[fresh] = True
    if len(fresh):
        _one_by_one(fresh.tolist(), needs, degree, live, dependents, gated)
    return {names[row] for row in np.flatnonzero(~live).tolist()}


def _one_by_one(
    work: list[int],
    needs: Whole,
    degree: Whole,
    live: NDArray[np.bool_],
    dependents: _Dependents,
    gated: dict[int, list[int]],
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
        for task in gated.pop(row, ()):
            missing[task] -= 1 + int(degree[task])
            if missing[task] <= 0 and not alive[task]:
                alive[task] = True
                work.append(task)
    live[:] = alive
