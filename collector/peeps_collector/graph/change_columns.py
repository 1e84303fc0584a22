# SPDX-License-Identifier: Apache-2.0
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
"""What changed in many nodes at once, as Arrow columns of `node_change` and `edge_change`: the same rows that
`Changes` makes one by one."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from peeps_otel.model.wire_numbers import CANCELS, EDGE_KINDS, INFERRED, PROVIDERS, WAIT_EXACT

from ..decode.values import json_text
from ..store.arrow_columns import batch as record_batch
from ..store.schema import EDGE_CHANGE, NODE_CHANGE
from . import batch as of
from .batch import Batch, Mask
from .changes import Changes, stack_text
from .entries import Entries
from .mixing import Whole, at, mixed

_AT_ONCE = 5000
_FEW = 200
"""Below, columns cost more than they save."""
_LARGE_PART = 4
_ATTRIBUTES_AT_ONCE = 500
_PROVIDERS = tuple(None if one is None else one.value for one in PROVIDERS)
_KINDS = tuple(one.value for one in EDGE_KINDS)
_CONFIDENCES = ("exact", "inferred")
Steps = Generator[None, None, None]


class Telling:
    """What the rows of one batch change. `ids`: of the rows."""

    def __init__(self, changes: Changes, batch: Batch, ids: Sequence[str]) -> None:
        self._changes = changes
        self._batch = batch
        self._ids = ids
        self._all: Any = None
        self._words = _Words(batch)

    def nodes(self, rows: Whole) -> Steps:
        """These rows as upserts."""
        batch, changes = self._batch, self._changes
        stacks = _stacks(batch)
        yield
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            attributes = yield from _attributes(batch, some)
            yield
            told = [column[some] for column in batch.nodes]
            waits, size = told[of.FLAGS] & of.WAITS != 0, len(some)
            columns = {
                "time_ns": _numbers(np.full(size, changes.time_ns, np.int64)),
                "process": _same(changes.process, size),
                "node": self._named(some),
                "op": _same("upsert", size),
                "state": self._words.text(told[of.STATE]),
                "providers": _taken(_column(_PROVIDERS), told[of.PROVIDED]),
                "wait_operation": self._words.any_text(told[of.OPERATION], waits),
                "wait_since_ns": _numbers(told[of.SINCE], waits),
                "wait_source": self._words.any_text(told[of.WAIT_SOURCE], waits),
                "wait_needs": _numbers(told[of.NEEDS], waits),
                "wait_deadline_ns": _numbers(told[of.DEADLINE], told[of.DEADLINE] > 0),
                "wait_exact": _numbers(told[of.FLAGS] & WAIT_EXACT != 0, waits),
                "steps": _numbers(told[of.STEPS] - 1, told[of.STEPS] > 0),
                "stack": _taken(stacks, told[of.STACK]),
                "attributes": attributes,
            }
            changes.batches[NODE_CHANGE.name].append(record_batch(NODE_CHANGE, columns))
            yield

    def edges_added(self, of_rows: Mask) -> Steps:
        """The edges of these rows as new ones, each once."""
        places = _each_once(self._batch, np.flatnonzero(of_rows[self._batch.edge_rows]))
        yield
        for start in range(0, len(places), _AT_ONCE):
            some = places[start : start + _AT_ONCE]
            _add_edges(self._changes, "add", self._batch, self._words, some, self._named(self._batch.edge_rows[some]))
            yield

    def edges_gone(self, known: Entries, rows: Whole) -> Steps:
        """The edges that the nodes of these rows had, one each, as gone."""
        nodes = at(self._ids, rows)
        objects, of_batches = yield from known.by_batch(nodes)
        for entry in objects:
            self._changes.unlink(entry.edges)
        yield
        for batch, theirs, which in of_batches:
            if len(theirs) < _FEW:
                for row, node in zip(theirs.tolist(), which.tolist(), strict=True):
                    self._changes.unlink(batch.edges_of(row, nodes[node]))
                continue
            words = _Words(batch)
            yield
            for start in range(0, len(theirs), _AT_ONCE):
                end = start + _AT_ONCE
                places, sources = batch.edge_bounds[theirs[start:end]], self._named(rows[which[start:end]])
                _add_edges(self._changes, "remove", batch, words, places, sources)
                yield

    def _named(self, rows: Whole) -> Any:
        """The ids of these rows. A large part of them is asked for thrice: then they are made once."""
        if self._all is None:
            if len(rows) * _LARGE_PART < len(self._ids):
                return pa.array(at(self._ids, rows), pa.string())
            self._all = pa.array(self._ids, pa.string())
        return _taken(self._all, rows)


class _Words:
    """Those texts of a batch that its changes are told with, and the ids where its edges lead."""

    def __init__(self, batch: Batch) -> None:
        is_used = np.zeros(len(batch.texts), np.bool_)
        columns = (
            batch.nodes[of.STATE],
            batch.nodes[of.OPERATION],
            batch.nodes[of.WAIT_SOURCE],
            batch.edges[of.E_SOURCE],
        )
        for column in columns:
            is_used[column] = True
        used = np.flatnonzero(is_used)
        texts = at(batch.texts, used)
        self._texts = pa.array(texts, pa.string())
        self._is_there = np.array([bool(text) for text in texts], np.bool_)
        self._places = np.zeros(len(batch.texts), np.int64)
        self._places[used] = np.arange(len(used))
        self.targets = pa.array(batch.targets, pa.string())

    def text(self, places: Whole) -> Any:
        """Null where it is empty."""
        places = self._places[places]
        return _taken(self._texts, places, self._is_there[places])

    def any_text(self, places: Whole, valid: Mask) -> Any:
        return _taken(self._texts, self._places[places], valid)


def _add_edges(changes: Changes, op: str, batch: Batch, words: _Words, places: Whole, sources: Any) -> None:
    """`places`: of the edges in the batch; `sources`: the node that each leaves."""
    kind, target, since, source, flags = (column[places] for column in batch.edges)
    size = len(places)
    columns = {
        "time_ns": _numbers(np.full(size, changes.time_ns, np.int64)),
        "process": _same(changes.process, size),
        "op": _same(op, size),
        "kind": _taken(_column(_KINDS), kind),
        "src": sources,
        "dst": _taken(words.targets, target),
        "since_ns": _numbers(since, since > 0),
        "source": words.text(source),
        "confidence": _taken(_column(_CONFIDENCES), (flags & INFERRED != 0).astype(np.int64)),
        "cancels": _numbers(flags & CANCELS != 0),
    }
    changes.batches[EDGE_CHANGE.name].append(record_batch(EDGE_CHANGE, columns))


def _each_once(batch: Batch, places: Whole) -> Whole:
    if (np.diff(batch.edge_bounds) <= 1).all():
        return places
    kind, _, since, source, flags = (column[places] for column in batch.edges)
    edge = mixed(kind, batch.target_hashes()[places], since, batch.text_hashes[source], flags & 7)
    first = np.unique(mixed(batch.edge_rows[places], edge), return_index=True)[1]
    return places if len(first) == len(places) else places[np.sort(first)]


def _attributes(batch: Batch, rows: Whole) -> Generator[None, None, Any]:
    bounds = batch.attribute_bounds
    if not (bounds[rows + 1] > bounds[rows]).any():
        return _same("{}", len(rows))
    texts: list[str] = []
    for number, row in enumerate(rows.tolist()):
        found = batch.attributes_of(row)
        texts.append(json_text(found) if found else "{}")
        if number % _ATTRIBUTES_AT_ONCE == 0:
            yield
    return pa.array(texts, pa.string())


@cache
def _column(words: tuple[str | None, ...]) -> Any:
    """Made when it is first asked for: store/arrow.py says why no array is made at the import."""
    return pa.array(words, pa.string())


def _stacks(batch: Batch) -> Any:
    return pa.array([stack_text(stack) if stack else None for stack in batch.stacks], pa.string())


def _taken(values: Any, places: Whole, valid: Mask | None = None) -> Any:
    """What most nodes have alike is made once, and not for each of them."""
    if len(places) and valid is not None and not valid.any():
        return pa.nulls(len(places), pa.string())
    if len(places) and (valid is None or valid.all()) and (places == places[0]).all():
        return pa.repeat(values[places.item(0)], len(places))
    return values.take(_numbers(places, valid))


def _numbers(values: NDArray[Any], valid: Mask | None = None) -> Any:
    return pa.array(values, mask=None if valid is None or valid.all() else ~valid)


@lru_cache(maxsize=16)
def _same(text: str, size: int) -> Any:
    return pa.repeat(pa.scalar(text, pa.string()), size)
