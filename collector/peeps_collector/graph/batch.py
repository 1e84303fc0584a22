# SPDX-License-Identifier: Apache-2.0
"""The rows of one snapshot as columns: read and checked column by column, and made objects one by one where asked for.

Only a message in which everything is right: of any other, `peeps_otel.model.wire_decoder.Reading` takes what is good
and says what is wrong with the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import count

import numpy as np
from numpy.typing import NDArray

from peeps_otel.model import AttributeValue, Confidence, Edge, Frame, Node, Wait
from peeps_otel.model.snapshot_pb2 import Snapshot as Message
from peeps_otel.model.wire_decoder import Reading, WireError
from peeps_otel.model.wire_numbers import BARE, CANCELS, EDGE_KINDS, INFERRED, NODE_KINDS, PROVIDERS, WAIT_EXACT

from ..decode.aliases import why_refused
from .mixing import Whole, bounds, hashes
from .packed import columns_of

WAITS = 1 << 8  # a flag of ours: there is a wait
LOCAL, KIND, NAME, CREATED, SOURCE, FLAGS, STATE, PROVIDED, STEPS, STACK = range(10)
OPERATION, SINCE, NEEDS, DEADLINE, WAIT_SOURCE = range(10, 15)
_NODE_COLUMNS = (
    *("local", "kind", "name", "created_at", "source", "flags", "state", "providers", "steps", "stack"),
    *("wait_operation", "wait_since", "wait_needs", "wait_deadline", "wait_source"),
)
E_KIND, E_TARGET, E_SINCE, E_SOURCE, E_FLAGS = range(5)
A_KEY, A_TYPE, A_VALUE = range(3)
_INT, _BOOL = 1, 2
_WEIGHT_MOST = 256 << 20
_FRAME_WEIGHT = 50
_TEXTS_AT_ONCE = 20_000
_NAMES_AT_ONCE = 500
Mask = NDArray[np.bool_]


@dataclass(slots=True)
class Batch:
    """`ulids`: two numbers a row, as they lie in the bytes; `nodes`: a column for each of LOCAL to
    WAIT_SOURCE, texts by their place in `texts`; `edges`, `attributes`: likewise, in the order of their rows, of which
    row i has those from `edge_bounds[i]` on. `targets`: the ids where edges lead, each once; of the edges, E_TARGET is
    the place there, set by who knows them.

    `number`: no other batch has it. Shared by readers; only who makes it changes it.
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
    number: int = field(default_factory=count().__next__)
    _target_hashes: Whole | None = None
    _by_row: NDArray[np.int64] | None = None
    _by_edge: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.nodes[LOCAL])

    def node(self, row: int, node_id: str) -> Node:
        texts, table = self.texts, self._by_row
        if table is None:
            table = self._by_row = np.stack(self.nodes, axis=1)  # one row of it costs less than one of each column
        numbers: list[int] = table[row].tolist()
        _, kind, name, created, source, flags, state, provided, steps, stack, operation, since, needs, deadline, at = (
            numbers
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
            self.attributes_of(row) if len(self.attribute_rows) else {},
        )

    def attributes_of(self, row: int) -> dict[str, AttributeValue]:
        found: dict[str, AttributeValue] = {}
        first, end = self.attribute_bounds[row : row + 2].tolist()
        for place in range(first, end):
            kind, value = self.attributes[A_TYPE].item(place), self.attributes[A_VALUE].item(place)
            text = self.texts[self.attributes[A_KEY].item(place)]
            found[text] = bool(value) if kind == _BOOL else value if kind == _INT else self.texts[value]
        return found

    def rows_marked(self, names: Set[str]) -> list[int]:
        """The rows that carry an attribute of one of these names."""
        keys = [place for place, text in enumerate(self.texts) if text in names]
        return [] if not keys else self.attribute_rows[np.isin(self.attributes[A_KEY], keys)].tolist()

    def edges_of(self, row: int, node_id: str) -> tuple[Edge, ...]:
        first, end = self.edge_bounds[row : row + 2].tolist()
        return tuple([self._edge(place, node_id) for place in range(first, end)])

    def _edge(self, place: int, node_id: str) -> Edge:
        table = self._by_edge
        if table is None:
            table = self._by_edge = np.stack(self.edges, axis=1)
        numbers: list[int] = table[place].tolist()
        kind, target, since, source, flags = numbers
        return Edge(
            EDGE_KINDS[kind],
            node_id,
            self.targets[target],
            since or None,
            self.texts[source] or None,
            Confidence.INFERRED if flags & INFERRED else Confidence.EXACT,
            bool(flags & CANCELS),
            bool(flags & BARE),
        )

    def target_hashes(self) -> Whole:
        """Of each edge, of the id where it leads."""
        if self._target_hashes is None:
            self._target_hashes = hashes(self.targets, len(self.targets))[self.edges[E_TARGET]]
        return self._target_hashes

    def with_targets(self, targets: Sequence[str | None], of_edges: Whole) -> None:
        """The ids where the edges lead, and of each edge its place there; an edge without one is left out."""
        self.edges[E_TARGET] = of_edges
        if None in targets:
            known = np.array([one is not None for one in targets], np.bool_)
            self._keep_edges(known[of_edges])
        self.targets = [one or "" for one in targets]
        self._target_hashes = self._by_edge = None

    def _keep_edges(self, kept: Mask) -> None:
        self.edges = [column[kept] for column in self.edges]
        self.edge_rows = self.edge_rows[kept]
        self.edge_bounds = bounds(self.edge_rows, len(self))


def batch_steps(message: Message) -> Generator[None, None, Batch | None]:
    """The rows of a message, in slices; None where one is wrong. Raises WireError."""
    reading = Reading(message, None)
    yield from reading.stacks()
    if reading.reasons:
        return None
    texts = reading.strings
    text_hashes = yield from _by_parts(texts, hash)
    lengths = yield from _by_parts(texts, len)
    batch = yield from _columns(message, texts, text_hashes, [stack or () for stack in reading.stack_rows])
    if not (_are_good_rows(batch) and _are_good_attributes(batch) and _are_good_edges(batch)) or _are_alike(batch):
        return None
    if (yield from _has_refused_names(batch)):
        return None
    _weigh(batch, lengths)
    _in_order(batch)
    _without_wait(batch)
    return batch


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
    """As they are in the message; a number that is too large for its column is below 0 here."""
    ulids = message.nodes.ulid
    table = yield from columns_of(message.nodes)
    size = len(table.get("local", ()))
    if len(ulids) != 16 * size:
        raise WireError(f"peeps.snapshot: nodes.ulid has {len(ulids)} bytes for {size} nodes, 16 each expected")
    nodes = [_column(table, name, size) for name in _NODE_COLUMNS]
    yield
    rows = _column(table, "attribute_row", len(table.get("attribute_row", ())))
    attributes = [_column(table, name, len(rows)) for name in ("attribute_key", "attribute_type", "attribute_value")]
    yield
    links = yield from columns_of(message.edges)
    edge_rows = _column(links, "source_row", len(links.get("source_row", ())))
    edges = [_column(links, name, len(edge_rows)) for name in ("kind", "target", "since", "source", "flags")]
    yield
    pairs = np.frombuffer(ulids, np.uint64).reshape(size, 2)
    none = np.zeros(0, np.int64)
    return Batch(texts, text_hashes, stacks, pairs, nodes, edge_rows, edges, rows, attributes, none, none, [])


def _column(table: Mapping[str, Whole], name: str, size: int) -> Whole:
    """A column as long as its table: what is absent is 0."""
    told = table.get(name)
    if told is not None and len(told) >= size:
        return told[:size]
    column = np.zeros(size, np.int64)
    if told is not None:
        column[: len(told)] = told
    return column


def _are_good_rows(batch: Batch) -> bool:
    nodes, texts = batch.nodes, len(batch.texts)
    of_texts = [nodes[column] for column in (NAME, SOURCE, STATE, OPERATION)]
    return (
        _is_below(nodes[KIND], len(NODE_KINDS))
        and _is_below(nodes[PROVIDED], len(PROVIDERS))
        and _is_below(nodes[STACK], len(batch.stacks))
        and all(_is_below(column, texts) for column in of_texts)
        and bool(((nodes[OPERATION] == 0) | (nodes[WAIT_SOURCE] < texts)).all())
        and all(_is_below(nodes[column], None) for column in (CREATED, SINCE, DEADLINE))
    )


def _has_refused_names(batch: Batch) -> Generator[None, None, bool]:
    """Each name is looked at once, however many nodes have it."""
    keys: list[int] = np.unique(batch.attributes[A_KEY]).tolist()
    for number, key in enumerate(keys):
        if why_refused(batch.texts[key]):
            return True
        if number % _NAMES_AT_ONCE == 0:
            yield
    yield
    return False


def _is_below(column: Whole, size: int | None) -> bool:
    return not len(column) or (int(column.min()) >= 0 and (size is None or int(column.max()) < size))


def _are_good_attributes(batch: Batch) -> bool:
    key, kind, value = batch.attributes
    is_text = (kind != _INT) & (kind != _BOOL)
    texts = len(batch.texts)
    return _is_below(batch.attribute_rows, len(batch)) and _is_below(key, texts) and _is_below(value[is_text], texts)


def _are_good_edges(batch: Batch) -> bool:
    kind, _, since, source, _ = batch.edges
    rows = _is_below(batch.edge_rows, len(batch)) and _is_below(kind, len(EDGE_KINDS))
    return rows and _is_below(source, len(batch.texts)) and _is_below(since, None)


def _are_alike(batch: Batch) -> bool:
    """Whether two rows may name the same node."""
    local, pairs = batch.nodes[LOCAL], batch.ulids
    if len(local) < 2:
        return False
    if not (local[1:] > local[:-1]).all():
        in_order = np.sort(local)
        if (in_order[1:] == in_order[:-1]).any():
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


class Columns:
    """Makes a batch of nodes that are objects, as it would have come in a snapshot."""

    def __init__(self) -> None:
        self._texts: dict[str, int] = {"": 0}
        self._stacks: dict[tuple[Frame, ...], int] = {(): 0}
        self._nodes: list[tuple[int, ...]] = []
        self._edges: list[tuple[int, ...]] = []
        self._attributes: list[tuple[int, ...]] = []
        self._targets: dict[str, int] = {}

    def add(self, node: Node, edges: Iterable[Edge]) -> None:
        text, row, wait = self._text, len(self._nodes), node.wait
        inferred = INFERRED if node.confidence is Confidence.INFERRED else 0
        waiting = (0,) * 5
        if wait is not None:
            inferred |= WAITS | (WAIT_EXACT if wait.exact else 0)
            waiting = text(wait.operation), wait.since_ns, wait.needs, wait.deadline_ns or 0, text(wait.source)
        self._nodes.append(
            (
                *(0, NODE_KINDS.index(node.kind), text(node.name), node.created_at, text(node.source), inferred),
                *(text(node.state), PROVIDERS.index(node.providers), 0 if node.steps is None else node.steps + 1),
                *(self._stacks.setdefault(node.stack, len(self._stacks)), *waiting),
            )
        )
        for edge in edges:
            flags = INFERRED if edge.confidence is Confidence.INFERRED else 0
            flags |= (CANCELS if edge.cancels else 0) | (BARE if edge.bare else 0)
            self._edges.append(
                (row, EDGE_KINDS.index(edge.kind), self._target(edge.dst), edge.since_ns or 0, text(edge.source), flags)
            )
        for key, value in node.attributes.items():
            kind = _BOOL if isinstance(value, bool) else _INT if isinstance(value, int) else 0
            self._attributes.append((row, text(key), kind, value if isinstance(value, int) else text(value)))

    def _target(self, node_id: str) -> int:
        return self._targets.setdefault(node_id, len(self._targets))

    def _text(self, value: str | None) -> int:
        return self._texts.setdefault(value or "", len(self._texts))

    def batch(self) -> Batch:
        size, texts = len(self._nodes), list(self._texts)
        rows, *edges = _turned(self._edges, 6)
        attribute_rows, *attributes = _turned(self._attributes, 4)
        ulids, nodes, stacks = np.zeros((size, 2), np.uint64), _turned(self._nodes, 15), list(self._stacks)
        ends = bounds(rows, size), bounds(attribute_rows, size)
        text_hashes = hashes(texts, len(texts))
        return Batch(
            *(texts, text_hashes, stacks, ulids, nodes, rows, edges),
            *(attribute_rows, attributes, *ends, list(self._targets)),
        )


def _turned(rows: list[tuple[int, ...]], columns: int) -> list[Whole]:
    return list(np.array(rows, np.int64).reshape(len(rows), columns).T.copy())
