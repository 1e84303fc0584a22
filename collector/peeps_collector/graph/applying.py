# SPDX-License-Identifier: Apache-2.0
"""From a snapshot to the new state of its process, in slices and beside the old state.

A large one stays columns: rows that say what is known already end here, what is new goes to the database as columns,
and nodes are made of it where they are asked for. A small one, and one with wrong rows, is made objects at once. Both
ways lead to the same (tests/collector/test_snapshot_columns.py).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np

from peeps_otel.model import Edge, Node
from peeps_otel.model.snapshot_pb2 import Snapshot as Message
from peeps_otel.model.wire_decoder import Reading

from ..decode.aliases import why_refused
from .batch import Batch, Mask, batch_steps
from .change_columns import Telling
from .changes import Changes
from .entries import Entries
from .entry import Entry
from .mixing import Whole, at
from .standing import EDGES, IDENTITY, OF_NODE, TOLD, Placed, Standing, State, state_of

FEW = 128
"""See `picture_steps`."""
_AT_ONCE = 200
_MANY_AT_ONCE = 10_000
Steps = Generator[None, None, None]


@dataclass(slots=True)
class Stream:
    """What a snapshot is compared with. `same`: it is of the stream that the process has been sending; else it begins
    anew, with a `standing` that nobody else knows. `entries`: those of the process."""

    standing: Standing
    entries: Entries
    same: bool

    @property
    def known(self) -> Entries:
        return self.entries if self.same else Entries()


@dataclass(slots=True)
class Picture:
    """`placed`, `state`: see `Standing.take`; `batch`: the columns, None where there are none. `ended`: the slots of
    the nodes that are gone, where the stream is the same; `over`: their entries; `entries`: of the nodes of which
    something new is said, and `rows`, where there are columns, theirs; `edges`: how many edges are in the snapshot;
    `reasons`: why rows are left out."""

    changes: Changes
    placed: Placed
    state: State | None = None
    batch: Batch | None = None
    ended: list[int] = field(default_factory=list[int])
    over: list[Entry] = field(default_factory=list[Entry])
    entries: Entries = field(default_factory=Entries)
    rows: Whole | None = None
    edges: int = 0
    reasons: list[str] = field(default_factory=list[str])


def picture_steps(message: Message, process: str, stream: Stream, few: int = FEW) -> Generator[None, None, Picture]:
    """`few`: rows from which on a snapshot stays columns. Raises WireError."""
    changes = Changes(process, message.time_unix_nano)
    if len(message.nodes.local) >= few:
        picture = yield from _by_columns(message, changes, stream)
        if picture is not None:
            return picture
    return (yield from _by_objects(message, changes, stream))


def said_again(picture: Picture, entries: Entries) -> Steps:
    """After a key frame: what was said before need not be kept for the nodes of which it says the same."""
    if picture.batch is not None:
        yield from entries.again(picture.placed.ids, picture.batch)


def _end(picture: Picture, message: Message, stream: Stream) -> Steps:
    """Finds who is gone."""
    standing, placed = stream.standing, picture.placed
    if not stream.same:
        picture.over = list(stream.entries.values())
    else:
        whole = message.key_frame
        picture.ended = standing.not_in(placed.slots) if whole else standing.ended(placed, message.gone)
        picture.over = [stream.entries[standing.ids[slot]] for slot in picture.ended]
    yield
    for number, entry in enumerate(picture.over):
        picture.changes.gone(entry.node, entry.edges)
        if number % _AT_ONCE == 0:
            yield


# --- as objects -------------------------------------------------------------------------------------------------------


def _by_objects(message: Message, changes: Changes, stream: Stream) -> Generator[None, None, Picture]:
    standing = stream.standing
    reading = Reading(message, standing.adopt, why_refused)
    yield from reading.stacks()
    yield from reading.nodes()
    yield from reading.attributes()
    nodes = [node for node in reading.rows if node is not None]
    kept = [row for row, node in enumerate(reading.rows) if node is not None]
    numbers = [message.nodes.local[row] for row in kept]
    fresh = {number: node.id for number, node in zip(numbers, nodes, strict=True)}
    yield from reading.edges(lambda number: fresh.get(number) or standing.id_of(number))
    ulids = np.frombuffer(message.nodes.ulid, np.uint64).reshape(-1, 2)[kept]
    picture = Picture(changes, standing.place_told(nodes, numbers, ulids))
    picture.edges, picture.reasons = len(reading.found_edges), reading.reasons
    yield from _end(picture, message, stream)
    outgoing: dict[str, list[Edge]] = {node.id: [] for node in nodes}
    for number, edge in enumerate(reading.found_edges):
        outgoing[edge.src].append(edge)
        if number % _MANY_AT_ONCE == 0:
            yield
    for number, node in enumerate(nodes):
        _compare(picture, stream, node, tuple(outgoing[node.id]))
        if number % _AT_ONCE == 0:
            yield
    return picture


def _compare(picture: Picture, stream: Stream, node: Node, edges: tuple[Edge, ...]) -> None:
    old = stream.known.get(node.id)
    if old is None:
        picture.changes.upsert(None, node, (), edges)
    else:
        picture.changes.upsert(old.node, node, old.edges, edges)
    picture.entries[node.id] = Entry.of(node, edges)


# --- as columns -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Differences:
    """By row: whether the node differs, its identity, what is worth a row of history, its edges. `had`: it had an edge;
    `many`: it has or had more than one."""

    node: Mask
    identity: Mask
    told: Mask
    edges: Mask
    had: Mask
    many: Mask


def _by_columns(message: Message, changes: Changes, stream: Stream) -> Generator[None, None, Picture | None]:
    """None where a row is wrong."""
    standing = stream.standing
    batch = yield from batch_steps(message)
    placed = None if batch is None else (yield from standing.place(batch))
    if batch is None or placed is None:
        return None
    state = state_of(batch)
    yield
    picture = Picture(changes, placed, state, batch, edges=len(batch.edge_rows))
    yield from _end(picture, message, stream)
    if stream.same:
        yield from standing.refresh(stream.entries)
    differs = standing.differing(placed, state)
    yield
    had = np.where(placed.known, standing.counts(placed.slots), 0)
    has = np.diff(batch.edge_bounds)
    found = _Differences(
        np.logical_or.reduce(differs[:, OF_NODE], axis=1),
        np.logical_or.reduce(differs[:, IDENTITY], axis=1),
        np.logical_or.reduce(differs[:, TOLD], axis=1),
        differs[:, EDGES] & ((had > 0) | (has > 0)),
        had > 0,
        (had > 1) | (has > 1),
    )
    yield
    yield from _tell(picture, batch, found, stream.known)
    return picture


def _tell(picture: Picture, batch: Batch, found: _Differences, known: Entries) -> Steps:
    changes, ids = picture.changes, picture.placed.ids
    rows = picture.rows = np.flatnonzero(found.node | found.edges)
    for start in range(0, len(rows), _MANY_AT_ONCE):
        some = rows[start : start + _MANY_AT_ONCE]
        picture.entries.place(at(ids, some), batch, some)
        yield
    for number, row in enumerate(np.flatnonzero(found.identity).tolist()):
        changes.identity(picture.entries[ids[row]].node)
        if number % _AT_ONCE == 0:
            yield
    telling = Telling(changes, batch, ids)
    yield from telling.nodes(np.flatnonzero(found.told))
    added = found.edges.copy()
    changed = found.edges & found.had
    gone = np.flatnonzero(changed & ~found.many)
    for number, row in enumerate(np.flatnonzero(changed & found.many).tolist()):
        had, edges = known[ids[row]].edges, picture.entries[ids[row]].edges
        added[row] = False  # some of them may be the same
        if set(had) != set(edges):
            changes.relink(had, edges)
        elif not found.node[row]:
            del picture.entries[ids[row]]
        if number % _AT_ONCE == 0:
            yield
    yield from telling.edges_gone(known, gone)
    yield from telling.edges_added(added)
    changes.nodes.update(picture.entries.names)
    changes.any |= bool(picture.entries)
