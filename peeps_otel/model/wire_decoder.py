# SPDX-License-Identifier: Apache-2.0
"""The bytes of `peeps.v1.Snapshot` to `Snapshot`: in slices, in linear time, and every number in its range.

One bad row costs itself and what points at it; the reason names column and row.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import NamedTuple

from google.protobuf.message import DecodeError

from .graph import AttributeValue, Confidence, Edge, Frame, Node, Wait
from .snapshot import Snapshot
from .snapshot_pb2 import Snapshot as Message
from .ulid import ulid_text
from .wire_numbers import BARE, CANCELS, EDGE_KINDS, INFERRED, NODE_KINDS, OWN, PROVIDERS, WAIT_EXACT

_AT_ONCE = 500  # rows in a slice
_TIME_MOST = (1 << 63) - 1
_REASONS_MOST = 1000
_WEIGHT_MOST = 256 << 20  # characters of all rows, each row with all its texts: one text may be in all of them
_FRAME_WEIGHT = 50
Steps = Generator[None, None, None]


class WireError(ValueError):
    """The bytes are not a snapshot of this stream; says which field is wrong and what the receiver can do."""


class Head(NamedTuple):
    """What says where a snapshot belongs."""

    stream_id: int
    sequence: int
    time_ns: int
    secret: int


def parsed(body: bytes) -> Message:
    """The message, its head checked. Raises WireError."""
    message = Message()
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        raise WireError(f"peeps.snapshot body is not a peeps.v1.Snapshot: {error}") from None
    if message.stream_id == 0 or message.sequence == 0 or message.time_unix_nano == 0:
        raise WireError("peeps.snapshot: stream_id, sequence and time_unix_nano must be set and positive")
    cost = message.cost
    for name, value, most in (
        ("sequence", message.sequence, _TIME_MOST),
        ("time_unix_nano", message.time_unix_nano, _TIME_MOST),
        ("cost.cpu_ns", cost.cpu_ns, _TIME_MOST),
        ("cost.duration_ns", cost.duration_ns, _TIME_MOST),
        ("cost.dropped", cost.dropped, _TIME_MOST),
        ("cost.interval_ns", cost.interval_ns, _TIME_MOST),
    ):
        if value > most:
            raise WireError(f"peeps.snapshot: {name}={value} is larger than {most}")
    return message


def head_of(message: Message) -> Head:
    return Head(message.stream_id, message.sequence, message.time_unix_nano, message.secret)


class Decoder:
    """Turns the bytes of one stream into snapshots. Not thread-safe.

    A snapshot out of sequence is still decoded: whether it may be used is the receiver's decision (`needs_key_frame`).
    `adopt` gives a node the id under which the receiver knows it.
    """

    def __init__(self, adopt: Callable[[str], str] | None = None) -> None:
        self._ids: dict[int, str] = {}
        self._adopt = adopt

    def decode(self, body: bytes) -> Snapshot:
        """Raises WireError where anything in `body` is wrong; the decoder's state is then unchanged."""
        before = self._ids
        steps = self.steps(parsed(body))
        while True:
            try:
                next(steps)
            except StopIteration as done:
                snapshot, reasons = done.value
                break
        if reasons:
            self._ids = before
            raise WireError(reasons[0])
        return snapshot

    def steps(self, message: Message) -> Generator[None, None, tuple[Snapshot, list[str]]]:
        """The snapshot, and why some of its rows are not in it. Raises WireError; the state is then unchanged."""
        reading = Reading(message, self._adopt)
        yield from reading.stacks()
        yield from reading.nodes()
        yield from reading.attributes()
        ids: dict[int, str] = {} if message.key_frame else dict(self._ids)
        ids.update((local, node.id) for local, node in zip(message.nodes.local, reading.rows, strict=True) if node)
        yield from reading.edges(ids.get)
        gone = [ids.pop(local) for local in message.gone if local in ids]
        self._ids = ids
        snapshot = Snapshot(
            stream_id=message.stream_id,
            sequence=message.sequence,
            time_ns=message.time_unix_nano,
            key_frame=message.key_frame,
            nodes=[node for node in reading.rows if node is not None],
            edges=reading.found_edges,
            gone=gone,
            cpu_ns=message.cost.cpu_ns,
            duration_ns=message.cost.duration_ns,
            dropped=message.cost.dropped,
            interval_ns=message.cost.interval_ns,
            coverage=list(message.coverage),
            shed=list(message.shed),
            secret=message.secret,
        )
        return snapshot, reading.reasons


class Reading:
    """One message on its way. `strings`: its texts; `stack_rows`: its stacks, the empty one first, and `rows`: its
    nodes, both with None for a row that is wrong; `reasons`: why it is."""

    def __init__(
        self, message: Message, adopt: Callable[[str], str] | None, why_refused: Callable[[str], str] | None = None
    ) -> None:
        """`why_refused`: of an attribute's name why its node is not taken; empty where it may be."""
        self._message = message
        self._why_refused = why_refused
        self._adopt = adopt
        self.strings = list(message.strings) or [""]
        self._weight = 0
        self.stack_rows: list[tuple[Frame, ...] | None] = [()]
        self.rows: list[Node | None] = []
        self.found_edges: list[Edge] = []
        self.reasons: list[str] = []

    def _wrong(self, table: str, row: int, columns: Iterable[tuple[str, int, int]]) -> None:
        """`columns`: name, value, and how many values there are."""
        if len(self.reasons) >= _REASONS_MOST:
            return
        what = next((c for c in columns if not 0 <= c[1] < c[2]), None)
        said = "the row is wrong" if what is None else f"{what[0]}={what[1]} is not from 0 to {what[2] - 1}"
        self.reasons.append(f"peeps.snapshot: {table} row {row}: {said}")

    def stacks(self) -> Steps:
        table = self._message.frames
        functions = list(table.function)
        files, lines = _column(table.file, len(functions)), _column(table.line, len(functions))
        strings, size = self.strings, len(self.strings)
        owners = _column(table.owner, len(functions))
        frames: list[Frame | None] = []
        for row, (function, file, line, owner) in enumerate(zip(functions, files, lines, owners, strict=True)):
            if function < size and file < size and owner < size + OWN:
                library = None if owner < OWN else strings[owner - OWN]
                frames.append(Frame(strings[function], strings[file], line or None, library))
            else:
                frames.append(None)
                ranges = (("function", function, size), ("file", file, size), ("owner", owner, size + OWN))
                self._wrong("frames", row, ranges)
            if row % _AT_ONCE == 0:
                yield
        members = list(self._message.stacks.frame)
        start = 0
        for row, length in enumerate(self._message.stacks.length):
            some = members[start : start + length] if length <= len(members) - start else None
            stack = None if some is None else [frames[one] if one < len(frames) else None for one in some]
            if stack is None or None in stack:
                self.stack_rows.append(None)
                outside = next((one for one in some or () if one >= len(frames)), 0)
                columns = (("length", length, len(members) - start + 1), ("frame", outside, len(frames)))
                self._wrong("stacks", row, columns)
            else:
                self.stack_rows.append(tuple(frame for frame in stack if frame is not None))
            start += length
            if row % _AT_ONCE == 0:
                yield

    def nodes(self) -> Steps:
        table = self._message.nodes
        local = list(table.local)
        size, ulids = len(local), table.ulid  # read once: each look at the field copies it
        if len(ulids) != 16 * size:
            raise WireError(f"peeps.snapshot: nodes.ulid has {len(ulids)} bytes for {size} nodes, 16 each expected")
        columns = [
            _column(values, size)
            for values in (
                table.kind,
                table.name,
                table.created_at,
                table.source,
                table.flags,
                table.state,
                table.providers,
                table.steps,
                table.stack,
                table.wait_operation,
                table.wait_since,
                table.wait_needs,
                table.wait_deadline,
                table.wait_source,
            )
        ]
        yield
        seen: set[int] = set()
        ids: set[str] = set()
        for row, values in enumerate(zip(*columns, strict=True)):
            node = None
            if local[row] not in seen and values[2] <= _TIME_MOST >= values[10] and values[12] <= _TIME_MOST:
                try:
                    node = self._node(ulids[16 * row : 16 * row + 16], values)
                except IndexError:
                    node = None
            if node is None or node.id in ids:
                self._explain(row, local[row] in seen or node is not None, local[row], values)
                node = None
            else:
                seen.add(local[row])
                ids.add(node.id)
            self.rows.append(node)
            if row % _AT_ONCE == 0:
                yield

    def _node(self, ulid: bytes, values: tuple[int, ...]) -> Node | None:
        """Raises IndexError; None where its stack is wrong."""
        strings = self.strings
        kind, name, created, source, flags, state, providers, steps, stack_row, operation, *wait_values = values
        stack = self.stack_rows[stack_row]
        if stack is None:
            return None
        wait = None
        if operation:
            since, needs, deadline, wait_source = wait_values
            wait = Wait(
                operation=strings[operation],
                since_ns=since,
                source=strings[wait_source],
                needs=needs,
                deadline_ns=deadline or None,
                exact=bool(flags & WAIT_EXACT),
            )
        self._weigh(name, source, state, operation, frames=len(stack))
        node_kind = NODE_KINDS[kind]
        node_id = f"{node_kind}:{ulid_text(ulid)}"
        return Node(
            id=node_id if self._adopt is None else self._adopt(node_id),
            kind=node_kind,
            name=strings[name],
            created_at=created,
            source=strings[source],
            confidence=Confidence.INFERRED if flags & INFERRED else Confidence.EXACT,
            state=strings[state] or None,
            providers=PROVIDERS[providers],
            wait=wait,
            stack=stack,
            steps=steps - 1 if steps else None,
        )

    def _weigh(self, *texts: int, frames: int = 0) -> None:
        self._weight += sum(len(self.strings[text]) for text in texts) + _FRAME_WEIGHT * frames
        if self._weight > _WEIGHT_MOST:
            raise WireError(f"peeps.snapshot: the texts and stacks of its rows are more than {_WEIGHT_MOST} characters")

    def _explain(self, row: int, twice: bool, local: int, values: tuple[int, ...]) -> None:
        if twice:
            if len(self.reasons) < _REASONS_MOST:
                self.reasons.append(f"peeps.snapshot: nodes row {row}: local={local} or its ulid is named twice")
            return
        texts, time = len(self.strings), _TIME_MOST + 1
        kind, name, created, source, _, state, providers, _, stack, operation, since, _, deadline, wait_source = values
        bad_stack = stack < len(self.stack_rows) and self.stack_rows[stack] is None
        self._wrong(
            "nodes",
            row,
            (
                ("kind", kind, len(NODE_KINDS)),
                ("name", name, texts),
                ("created_at", created, time),
                ("source", source, texts),
                ("state", state, texts),
                ("providers", providers, len(PROVIDERS)),
                ("stack", stack, 0 if bad_stack else len(self.stack_rows)),
                ("wait_operation", operation, texts),
                ("wait_since", since, time),
                ("wait_deadline", deadline, time),
                ("wait_source", wait_source, texts),
            ),
        )

    def attributes(self) -> Steps:
        table = self._message.nodes
        rows = list(table.attribute_row)
        size = len(rows)
        keys, types = _column(table.attribute_key, size), _column(table.attribute_type, size)
        strings, texts = self.strings, len(self.strings)
        values = _column(table.attribute_value, size)
        refused = yield from self._refused_keys(keys)
        for number, (row, key, kind, found) in enumerate(zip(rows, keys, types, values, strict=True)):
            if row >= len(self.rows) or key >= texts or (kind not in {1, 2} and not 0 <= found < texts):
                columns = (("attribute_row", row, len(self.rows)), ("attribute_key", key, texts))
                self._wrong("nodes attribute", number, (*columns, ("attribute_value", found, texts)))
            elif key in refused:
                self._refuse(row, refused[key])
            else:
                self._weigh(key, found if kind not in {1, 2} else 0)
                value: AttributeValue = bool(found) if kind == 2 else found if kind == 1 else strings[found]
                node = self.rows[row]
                if node is not None:
                    node.attributes[strings[key]] = value
            if number % _AT_ONCE == 0:
                yield

    def _refused_keys(self, keys: Iterable[int]) -> Generator[None, None, dict[int, str]]:
        """By the place of their text: each name is looked at once, however many nodes have it."""
        why, found = self._why_refused, dict[int, str]()
        if why is None:
            return found
        for number, key in enumerate(set(keys)):
            if key < len(self.strings) and (reason := why(self.strings[key])):
                found[key] = reason
            if number % _AT_ONCE == 0:
                yield
        return found

    def _refuse(self, row: int, reason: str) -> None:
        node = self.rows[row]
        if node is not None:
            self.rows[row] = None
            if len(self.reasons) < _REASONS_MOST:
                self.reasons.append(f"peeps.snapshot: node {node.id}: {reason}")

    def edges(self, id_of: Callable[[int], str | None]) -> Steps:
        table = self._message.edges
        rows = list(table.source_row)
        size = len(rows)
        kinds, targets, since = _column(table.kind, size), _column(table.target, size), _column(table.since, size)
        sources, flags = _column(table.source, size), _column(table.flags, size)
        strings, texts = self.strings, len(self.strings)
        for number, row in enumerate(rows):
            kind, source = kinds[number], sources[number]
            if row >= len(self.rows) or kind >= len(EDGE_KINDS) or source >= texts or since[number] > _TIME_MOST:
                columns = (("source_row", row, len(self.rows)), ("kind", kind, len(EDGE_KINDS)))
                ranges = (("source", source, texts), ("since", since[number], _TIME_MOST + 1))
                self._wrong("edges", number, (*columns, *ranges))
                continue
            node, destination = self.rows[row], id_of(targets[number])
            if node is not None and destination is not None:
                inferred = flags[number] & INFERRED
                self.found_edges.append(
                    Edge(
                        kind=EDGE_KINDS[kind],
                        src=node.id,
                        dst=destination,
                        since_ns=since[number] or None,
                        source=strings[source] or None,
                        confidence=Confidence.INFERRED if inferred else Confidence.EXACT,
                        cancels=bool(flags[number] & CANCELS),
                        bare=bool(flags[number] & BARE),
                    )
                )
            if number % _AT_ONCE == 0:
                yield


def _column(values: Iterable[int], size: int) -> list[int]:
    """A column as long as its table: what is absent is 0."""
    numbers = list(values)
    return (numbers + [0] * (size - len(numbers)))[:size]
