# SPDX-License-Identifier: Apache-2.0
"""The rows of one snapshot as columns: read and checked column by column, and made objects one by one where asked for.

What is good of a message is the same as `peeps_otel.model.wire_decoder.Reading` takes of it; that also says what is
wrong with the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peeps_otel.model import AttributeValue, Confidence, Edge, Frame, Node, Wait
from peeps_otel.model.snapshot_pb2 import Snapshot as Message
from peeps_otel.model.wire_decoder import (
    BARE,
    CANCELS,
    EDGE_KINDS,
    INFERRED,
    NODE_KINDS,
    PROVIDERS,
    WAIT_EXACT,
    Reading,
    WireError,
)

from .mixing import Whole, bounds, hashes

WAITS = 1 << 8  # a flag of ours: there is a wait
LOCAL, KIND, NAME, CREATED, SOURCE, FLAGS, STATE, PROVIDED, STEPS, STACK = range(10)
OPERATION, SINCE, NEEDS, DEADLINE, WAIT_SOURCE = range(10, 15)
E_KIND, E_TARGET, E_SINCE, E_SOURCE, E_FLAGS = range(5)
A_KEY, A_TYPE, A_VALUE = range(3)
_INT, _BOOL = 1, 2
_TIME_MOST = (1 << 63) - 1
_WEIGHT_MOST = 256 << 20
_FRAME_WEIGHT = 50
_TEXTS_AT_ONCE = 20_000
Mask = NDArray[np.bool_]
Steps = Generator[None, None, "Batch"]


@dataclass(slots=True)
class Batch:
    """Good rows only. `ulids`: two numbers a row, as they lie in the bytes; `nodes`: a column for each of LOCAL to
    WAIT_SOURCE, texts by their place in `texts`; `edges`, `attributes`: likewise, in the order of their rows, of which
    row i has those from `edge_bounds[i]` on. `targets`: the ids where the edges lead, set by who knows them.

    Shared by readers; only who makes it changes it.
    """

    texts: list[str]
    text_hashes: Whole
    stacks: list[tuple[Frame, ...]]
    ulids: NDArray[np.uint64]
    nodes: list[Whole]
    edge_rows: Whole
    edges: list[Whole]
    attribute_rows: Whole
    attributes: list[Whole]
    edge_bounds: Whole
    attribute_bounds: Whole
    targets: list[str]

    def __len__(self) -> int:
        return len(self.nodes[LOCAL])

    def node(self, row: int, node_id: str) -> Node:
        texts = self.texts
        _, kind, name, created, source, flags, state, provided, steps, stack, operation, since, needs, deadline, at = (
            column.item(row) for column in self.nodes
        )
        wait = None
        if flags & WAITS:
            wait = Wait(texts[operation], since, texts[at], needs, deadline or None, bool(flags & WAIT_EXACT))
        return Node(
            node_id,
            NODE_KINDS[kind],
            texts[name],
            created,
            texts[source],
            Confidence.INFERRED if flags & INFERRED else Confidence.EXACT,
            texts[state] or None,
            PROVIDERS[provided],
            wait,
            self.stacks[stack],
            steps - 1 if steps else None,
            self.attributes_of(row),
        )

    def attributes_of(self, row: int) -> dict[str, AttributeValue]:
        found: dict[str, AttributeValue] = {}
        first, end = self.attribute_bounds.item(row), self.attribute_bounds.item(row + 1)
        for place in range(first, end):
            kind, value = self.attributes[A_TYPE].item(place), self.attributes[A_VALUE].item(place)
            text = self.texts[self.attributes[A_KEY].item(place)]
            found[text] = bool(value) if kind == _BOOL else value if kind == _INT else self.texts[value]
        return found

    def edges_of(self, row: int, node_id: str) -> tuple[Edge, ...]:
        first, end = self.edge_bounds.item(row), self.edge_bounds.item(row + 1)
        return tuple(self._edge(place, node_id) for place in range(first, end))

    def _edge(self, place: int, node_id: str) -> Edge:
        kind, _, since, source, flags = (column.item(place) for column in self.edges)
        return Edge(
            EDGE_KINDS[kind],
            node_id,
            self.targets[place],
            since or None,
            self.texts[source] or None,
            Confidence.INFERRED if flags & INFERRED else Confidence.EXACT,
            bool(flags & CANCELS),
            bool(flags & BARE),
        )

    def with_targets(self, targets: Sequence[str | None]) -> None:
        """The ids where the edges lead; an edge without one is left out."""
        if None in targets:
            known = np.fromiter((one is not None for one in targets), np.bool_, len(targets))
            self._keep_edges(known)
        self.targets = [one for one in targets if one is not None]

    def keep(self, rows: Mask) -> None:
        """Leaves the other rows out, with their edges and attributes."""
        place = np.cumsum(rows) - 1
        self.nodes = [column[rows] for column in self.nodes]
        self.ulids = self.ulids[rows]
        self._keep_edges(rows[self.edge_rows])
        of_good = rows[self.attribute_rows]
        self.attributes = [column[of_good] for column in self.attributes]
        self.attribute_rows = place[self.attribute_rows[of_good]]
        self.edge_rows = place[self.edge_rows]
        self._bound()

    def _keep_edges(self, kept: Mask) -> None:
        self.edges = [column[kept] for column in self.edges]
        self.edge_rows = self.edge_rows[kept]
        self.edge_bounds = bounds(self.edge_rows, len(self))

    def _bound(self) -> None:
        self.edge_bounds = bounds(self.edge_rows, len(self))
        self.attribute_bounds = bounds(self.attribute_rows, len(self))


def batch_steps(message: Message, adopt: Callable[[str], str]) -> Generator[None, None, tuple[Batch, list[str]]]:
    """The good rows of a message, and what is wrong with the others, in slices. Raises WireError."""
    reading = Reading(message, adopt)
    yield from reading.stacks()
    texts = reading.strings
    text_hashes = yield from _by_parts(texts, hash)
    lengths = yield from _by_parts(texts, len)
    batch = yield from _columns(message, texts, text_hashes, [stack or () for stack in reading.stack_rows])
    known_stack = np.array([stack is not None for stack in reading.stack_rows], np.bool_)
    good = _good_rows(batch, known_stack)
    yield
    attributes, edges = _good_attributes(batch), _good_edges(batch)
    if not (good.all() and attributes.all() and edges.all()) or _are_alike(batch):
        yield from reading.nodes()
        yield from reading.attributes()
        yield from reading.edges({})
        good = np.array([node is not None for node in reading.rows], np.bool_)
        batch.attributes = [column[attributes] for column in batch.attributes]
        batch.attribute_rows = batch.attribute_rows[attributes]
        batch.edges, batch.edge_rows = [column[edges] for column in batch.edges], batch.edge_rows[edges]
        batch.keep(good)
    else:
        _weigh(batch, lengths)
    yield
    _in_order(batch)
    _without_wait(batch)
    return batch, reading.reasons


def _by_parts(texts: Sequence[str], of: Callable[[str], int]) -> Generator[None, None, Whole]:
    found = np.zeros(len(texts), np.int64)
    for start in range(0, len(texts), _TEXTS_AT_ONCE):
        some = texts[start : start + _TEXTS_AT_ONCE]
        found[start : start + len(some)] = np.fromiter(map(of, some), np.int64, len(some))
        yield
    return found


def _columns(
    message: Message, texts: list[str], text_hashes: Whole, stacks: list[tuple[Frame, ...]]
) -> Generator[None, None, Batch]:
    """As they are in the message; a number that is too large for its column is -1 here."""
    table, links = message.nodes, message.edges
    size, ulids = len(table.local), table.ulid
    if len(ulids) != 16 * size:
        raise WireError(f"peeps.snapshot: nodes.ulid has {len(ulids)} bytes for {size} nodes, 16 each expected")
    nodes: list[Whole] = []
    for column in (
        *(table.local, table.kind, table.name, table.created_at, table.source, table.flags, table.state),
        *(table.providers, table.steps, table.stack, table.wait_operation, table.wait_since, table.wait_needs),
        *(table.wait_deadline, table.wait_source),
    ):
        nodes.append(_column(column, size))
        yield
    rows = _column(table.attribute_row, len(table.attribute_row))
    attributes = [
        _column(column, len(rows)) for column in (table.attribute_key, table.attribute_type, table.attribute_value)
    ]
    yield
    edge_rows = _column(links.source_row, len(links.source_row))
    edges = [
        _column(column, len(edge_rows)) for column in (links.kind, links.target, links.since, links.source, links.flags)
    ]
    yield
    pairs = np.frombuffer(ulids, np.uint64).reshape(size, 2)
    none = np.zeros(0, np.int64)
    return Batch(texts, text_hashes, stacks, pairs, nodes, edge_rows, edges, rows, attributes, none, none, [])


def _column(values: Collection[int], size: int) -> Whole:
    """A column as long as its table: what is absent is 0."""
    column = np.zeros(size, np.int64)
    some = min(len(values), size)
    try:
        column[:some] = np.fromiter(values, np.int64, some)
    except OverflowError:
        column[:some] = np.fromiter((v if v <= _TIME_MOST else -1 for v in values), np.int64, some)
    return column


def _good_rows(batch: Batch, known_stack: Mask) -> Mask:
    nodes, texts = batch.nodes, len(batch.texts)
    good = np.ones(len(batch), np.bool_)
    for column, size in (
        *((KIND, len(NODE_KINDS)), (NAME, texts), (SOURCE, texts), (STATE, texts), (PROVIDED, len(PROVIDERS))),
        *((STACK, len(batch.stacks)), (OPERATION, texts)),
    ):
        good &= nodes[column] < size
    good &= (nodes[OPERATION] == 0) | (nodes[WAIT_SOURCE] < texts)
    for column in (CREATED, SINCE, DEADLINE):
        good &= nodes[column] >= 0
    good[good] = known_stack[nodes[STACK][good]]
    return good


def _good_attributes(batch: Batch) -> Mask:
    key, kind, value = batch.attributes
    texts = len(batch.texts)
    is_text = (kind != _INT) & (kind != _BOOL)
    good = (batch.attribute_rows < len(batch)) & (key < texts)
    return good & (~is_text | ((value >= 0) & (value < texts)))


def _good_edges(batch: Batch) -> Mask:
    kind, _, since, source, _ = batch.edges
    good = (batch.edge_rows < len(batch)) & (kind < len(EDGE_KINDS))
    return good & (source < len(batch.texts)) & (since >= 0)


def _are_alike(batch: Batch) -> bool:
    """Whether two rows may name the same node."""
    local, pairs = batch.nodes[LOCAL], batch.ulids
    if len(local) < 2:
        return False
    if not (local[1:] > local[:-1]).all() and len(np.unique(local)) < len(local):
        return True
    both = np.sort(pairs[:, 0] * np.uint64(0x9E3779B97F4A7C15) ^ pairs[:, 1])
    return bool((both[1:] == both[:-1]).any())


def _weigh(batch: Batch, lengths: Whole) -> None:
    """One text may be in all rows: see `Reading`."""
    nodes = batch.nodes
    frames = np.array([len(stack) for stack in batch.stacks], np.int64)
    weight = sum(int(lengths[nodes[column]].sum()) for column in (NAME, SOURCE, STATE, OPERATION))
    weight += _FRAME_WEIGHT * int(frames[nodes[STACK]].sum())
    key, kind, value = batch.attributes
    is_text = (kind != _INT) & (kind != _BOOL)
    weight += int(lengths[key].sum()) + int(lengths[np.where(is_text, value, 0)].sum())
    if weight > _WEIGHT_MOST:
        raise WireError(f"peeps.snapshot: the texts and stacks of its rows are more than {_WEIGHT_MOST} characters")


def _in_order(batch: Batch) -> None:
    """Edges and attributes by their rows; of two attributes of one name the last."""
    rows = batch.edge_rows
    if not (rows[1:] >= rows[:-1]).all():
        order = np.argsort(rows, kind="stable")
        batch.edge_rows, batch.edges = rows[order], [column[order] for column in batch.edges]
    rows = batch.attribute_rows
    if not (rows[1:] >= rows[:-1]).all():
        order = np.argsort(rows, kind="stable")
        batch.attribute_rows, batch.attributes = rows[order], [column[order] for column in batch.attributes]
    _last_of_each_name(batch)
    batch.edge_bounds = bounds(batch.edge_rows, len(batch))
    batch.attribute_bounds = bounds(batch.attribute_rows, len(batch))


def _last_of_each_name(batch: Batch) -> None:
    names = batch.text_hashes[batch.attributes[A_KEY]]
    order = np.lexsort((names, batch.attribute_rows))
    names, rows = names[order], batch.attribute_rows[order]
    again = (names[1:] == names[:-1]) & (rows[1:] == rows[:-1])
    if again.any():
        kept = np.ones(len(names), np.bool_)
        kept[order[:-1][again]] = False
        batch.attributes = [column[kept] for column in batch.attributes]
        batch.attribute_rows = batch.attribute_rows[kept]


def _without_wait(batch: Batch) -> None:
    """What is not looked at is 0, so that rows can be compared."""
    nodes = batch.nodes
    waits = nodes[OPERATION] > 0
    for column in (SINCE, NEEDS, DEADLINE, WAIT_SOURCE):
        nodes[column] = np.where(waits, nodes[column], 0)
    nodes[FLAGS] = np.where(waits, nodes[FLAGS] & (INFERRED | WAIT_EXACT) | WAITS, nodes[FLAGS] & INFERRED)


def row_of(node: Node, edges: Iterable[Edge]) -> Batch:
    """A batch of the one node, as it would have come in a snapshot."""
    texts: dict[str, int] = {"": 0}

    def text(value: str | None) -> int:
        return texts.setdefault(value or "", len(texts))

    wait = node.wait
    flags = INFERRED if node.confidence is Confidence.INFERRED else 0
    values = [
        *(0, NODE_KINDS.index(node.kind), text(node.name), node.created_at, text(node.source)),
        flags if wait is None else flags | WAITS | (WAIT_EXACT if wait.exact else 0),
        *(text(node.state), PROVIDERS.index(node.providers), 0 if node.steps is None else node.steps + 1, 1),
        *([0] * 5 if wait is None else [text(wait.operation), wait.since_ns, wait.needs, wait.deadline_ns or 0]),
        *([] if wait is None else [text(wait.source)]),
    ]
    links = list(edges)
    rows = [
        [EDGE_KINDS.index(edge.kind), 0, edge.since_ns or 0, text(edge.source), _flags(edge)] for edge in links
    ]
    named = [
        [text(key), _type(value), value if isinstance(value, int) else text(str(value))]
        for key, value in node.attributes.items()
    ]
    of = np.array(list(zip(*rows, strict=True)) or [[]] * 5, np.int64)
    about: Any = np.array(list(zip(*named, strict=True)) or [[]] * 3, np.int64)
    zeros, more = np.zeros(len(rows), np.int64), np.zeros(len(named), np.int64)
    batch = Batch(
        list(texts),
        hashes(texts, len(texts)),
        [(), node.stack],
        np.zeros((1, 2), np.uint64),
        [np.array([value], np.int64) for value in values],
        zeros,
        list(of),
        more,
        list(about),
        np.array([0, len(rows)], np.int64),
        np.array([0, len(named)], np.int64),
        [edge.dst for edge in links],
    )
    return batch


def _type(value: AttributeValue) -> int:
    return _BOOL if isinstance(value, bool) else _INT if isinstance(value, int) else 0


def _flags(edge: Edge) -> int:
    inferred = INFERRED if edge.confidence is Confidence.INFERRED else 0
    return inferred | (CANCELS if edge.cancels else 0) | (BARE if edge.bare else 0)
