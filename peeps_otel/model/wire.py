# SPDX-License-Identifier: Apache-2.0
"""`Snapshot` to and from the bytes of `peeps.v1.Snapshot` (proto/peeps/v1/snapshot.proto).

Both ends keep the table of local numbers of one stream, so there is an `Encoder` per stream and a `Decoder` per
stream; neither is thread-safe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count

from google.protobuf.message import DecodeError

from .graph import AttributeValue, Confidence, Edge, EdgeKind, Frame, Node, NodeKind, Providers, Wait
from .snapshot import Snapshot
from .snapshot_pb2 import Snapshot as Message
from .ulid import ulid_bytes, ulid_text

_NODE_KINDS = list(NodeKind)
_EDGE_KINDS = list(EdgeKind)
_NODE_NUMBER = {kind: number for number, kind in enumerate(_NODE_KINDS)}
_EDGE_NUMBER = {kind: number for number, kind in enumerate(_EDGE_KINDS)}
_PROVIDERS: list[Providers | None] = [None, Providers.CLOSED, Providers.ESTIMATED, Providers.OPEN]
_PROVIDERS_NUMBER = {providers: number for number, providers in enumerate(_PROVIDERS)}

_AT_ONCE = 1000  # rows between two pauses
_INFERRED = 1
_WAIT_EXACT = 2
_CANCELS = 2
_OWN = 1  # frames.owner: the program; beyond, a library
_BARE = 4


class WireError(ValueError):
    """The bytes are not a snapshot of this stream; says which field is wrong and what the receiver can do."""


class Encoder:
    """Turns the snapshots of one stream into bytes."""

    def __init__(self) -> None:
        self._local: dict[str, int] = {}
        self._numbers = count(1)

    def encode(self, snapshot: Snapshot, pause: Callable[[], None] = lambda: None) -> bytes:
        """The bytes of `snapshot`. Edges to nodes that were never in a snapshot of this stream are left out.

        `pause` is called now and then, so that other threads may run: a large snapshot is made of parts, since the
        bytes of one message are those of its parts, one after the other.
        """
        message = Message(
            stream_id=snapshot.stream_id,
            sequence=snapshot.sequence,
            time_unix_nano=snapshot.time_ns,
            key_frame=snapshot.key_frame,
            coverage=snapshot.coverage,
            shed=snapshot.shed,
        )
        message.cost.cpu_ns = snapshot.cpu_ns
        message.cost.duration_ns = snapshot.duration_ns
        message.cost.dropped = snapshot.dropped
        message.cost.interval_ns = snapshot.interval_ns
        strings: dict[str, int] = {"": 0}

        def text(value: str | None) -> int:
            return strings.setdefault(value or "", len(strings))

        frames: dict[Frame, int] = {}
        stacks: dict[tuple[Frame, ...], int] = {}

        def stack(value: tuple[Frame, ...]) -> int:
            return 0 if not value else 1 + stacks.setdefault(value, len(stacks))

        parts: list[bytes] = []
        row_of: dict[str, int] = {}
        ulids: list[bytes] = []
        for start in range(0, len(snapshot.nodes), _AT_ONCE):
            part = Message()
            self._encode_nodes(part, snapshot.nodes[start : start + _AT_ONCE], row_of, ulids, text, stack)
            parts.append(part.SerializeToString())
            pause()
        message.nodes.ulid = b"".join(ulids)  # one value, not one per part: the last would win
        for start in range(0, len(snapshot.edges), _AT_ONCE):
            part = Message()
            self._encode_edges(part, snapshot.edges[start : start + _AT_ONCE], row_of, text)
            parts.append(part.SerializeToString())
            pause()
        for frame_tuple in stacks:
            message.stacks.length.append(len(frame_tuple))
            message.stacks.frame.extend([frames.setdefault(frame, len(frames)) for frame in frame_tuple])
        message.frames.function.extend([text(frame.function) for frame in frames])
        message.frames.file.extend([text(frame.file) for frame in frames])
        message.frames.line.extend([frame.line or 0 for frame in frames])
        message.frames.owner.extend([_owner(frame, text) for frame in frames])
        message.gone.extend([local for node in snapshot.gone if (local := self._local.pop(node, None)) is not None])
        texts = list(strings)
        for start in range(0, len(texts), _AT_ONCE):
            part = Message()
            some = texts[start : start + _AT_ONCE]
            try:
                part.strings.extend(some)
            except UnicodeEncodeError:  # a name with a lone surrogate: the whole snapshot must not fail for it
                del part.strings[:]
                part.strings.extend([value.encode("utf-8", "replace").decode() for value in some])
            parts.append(part.SerializeToString())
            pause()
        return b"".join([*parts, message.SerializeToString()])

    def _encode_nodes(
        self,
        message: Message,
        nodes: list[Node],
        row_of: dict[str, int],
        ulids: list[bytes],
        text: Callable[[str | None], int],
        stack: Callable[[tuple[Frame, ...]], int],
    ) -> None:
        """Adds the rows of `nodes`, after those that are in `row_of` and `ulids` already."""
        table = message.nodes
        local_of = self._local
        for row, node in enumerate(nodes, len(row_of)):
            row_of[node.id] = row
            local = local_of.get(node.id)
            if local is None:
                local = local_of[node.id] = next(self._numbers)
            table.local.append(local)
            ulids.append(ulid_bytes(node.id.partition(":")[2]))
            wait = node.wait
            for key, value in node.attributes.items():
                table.attribute_row.append(row)
                table.attribute_key.append(text(key))
                if isinstance(value, bool):
                    table.attribute_type.append(2)
                    table.attribute_value.append(int(value))
                elif isinstance(value, int):
                    table.attribute_type.append(1)
                    table.attribute_value.append(int(value))
                else:
                    table.attribute_type.append(0)
                    table.attribute_value.append(text(value))
            table.flags.append(
                (_INFERRED if node.confidence is Confidence.INFERRED else 0)
                | (_WAIT_EXACT if wait is not None and wait.exact else 0)
            )
        table.kind.extend([_NODE_NUMBER[node.kind] for node in nodes])
        table.name.extend([text(node.name) for node in nodes])
        table.created_at.extend([node.created_at for node in nodes])
        table.source.extend([text(node.source) for node in nodes])
        table.state.extend([text(node.state) for node in nodes])
        table.providers.extend([_PROVIDERS_NUMBER[node.providers] for node in nodes])
        table.steps.extend([0 if node.steps is None else node.steps + 1 for node in nodes])
        table.stack.extend([stack(node.stack) for node in nodes])
        waits = [node.wait for node in nodes]
        table.wait_operation.extend([0 if wait is None else text(wait.operation) for wait in waits])
        table.wait_since.extend([0 if wait is None else wait.since_ns for wait in waits])
        table.wait_needs.extend([0 if wait is None else wait.needs for wait in waits])
        table.wait_deadline.extend([0 if wait is None else wait.deadline_ns or 0 for wait in waits])
        table.wait_source.extend([0 if wait is None else text(wait.source) for wait in waits])

    def _encode_edges(
        self, message: Message, edges: list[Edge], row_of: dict[str, int], text: Callable[[str | None], int]
    ) -> None:
        table = message.edges
        for edge in edges:
            row = row_of.get(edge.src)
            target = self._local.get(edge.dst)
            if row is None or target is None:
                continue
            table.source_row.append(row)
            table.kind.append(_EDGE_NUMBER[edge.kind])
            table.target.append(target)
            table.since.append(edge.since_ns or 0)
            table.source.append(text(edge.source))
            table.flags.append(
                (_INFERRED if edge.confidence is Confidence.INFERRED else 0)
                | (_CANCELS if edge.cancels else 0)
                | (_BARE if edge.bare else 0)
            )


class Decoder:
    """Turns the bytes of one stream into snapshots.

    A snapshot out of sequence is still decoded: whether it may be used is the receiver's decision (`needs_key_frame`).
    """

    def __init__(self) -> None:
        self._ids: dict[int, str] = {}

    def decode(self, body: bytes) -> Snapshot:
        """Raises WireError where `body` cannot be read; the decoder's state is then unchanged."""
        message = Message()
        try:
            message.ParseFromString(body)
        except DecodeError as error:
            raise WireError(f"peeps.snapshot body is not a peeps.v1.Snapshot: {error}") from None
        if message.stream_id == 0 or message.sequence == 0 or message.time_unix_nano == 0:
            raise WireError("peeps.snapshot: stream_id, sequence and time_unix_nano must be set and positive")
        try:
            return self._decode(message)
        except IndexError:
            raise WireError(
                "peeps.snapshot: a column points outside its table (strings, frames, stacks or nodes)"
            ) from None

    def _decode(self, message: Message) -> Snapshot:
        strings = list(message.strings) or [""]
        functions = list(message.frames.function)
        files, lines = _column(message.frames.file, len(functions)), _column(message.frames.line, len(functions))
        owners = _column(message.frames.owner, len(functions))
        frames = [
            Frame(strings[function], strings[file], line or None, _library(owner, strings))
            for function, file, line, owner in zip(functions, files, lines, owners, strict=True)
        ]
        stacks: list[tuple[Frame, ...]] = [()]
        rows = list(message.stacks.frame)
        start = 0
        for length in message.stacks.length:
            if start + length > len(rows):
                raise IndexError
            stacks.append(tuple(frames[row] for row in rows[start : start + length]))
            start += length
        nodes = _decode_nodes(message, strings, stacks)
        ids: dict[int, str] = {} if message.key_frame else dict(self._ids)
        ids.update(zip(message.nodes.local, (node.id for node in nodes), strict=False))
        edges = _decode_edges(message, strings, nodes, ids)
        gone = [ids.pop(local) for local in message.gone if local in ids]
        self._ids = ids
        return Snapshot(
            stream_id=message.stream_id,
            sequence=message.sequence,
            time_ns=message.time_unix_nano,
            key_frame=message.key_frame,
            nodes=nodes,
            edges=edges,
            gone=gone,
            cpu_ns=message.cost.cpu_ns,
            duration_ns=message.cost.duration_ns,
            dropped=message.cost.dropped,
            interval_ns=message.cost.interval_ns,
            coverage=list(message.coverage),
            shed=list(message.shed),
        )


def _owner(frame: Frame, text: Callable[[str | None], int]) -> int:
    return 0 if frame.library is None else _OWN + text(frame.library)


def _library(owner: int, strings: list[str]) -> str | None:
    return None if owner < _OWN else strings[owner - _OWN]


def _column(values: Iterable[int], size: int) -> list[int]:
    """A column as long as its table: what is absent is 0."""
    numbers = list(values)
    return (numbers + [0] * (size - len(numbers)))[:size]


def _decode_nodes(message: Message, strings: list[str], stacks: list[tuple[Frame, ...]]) -> list[Node]:
    table = message.nodes
    size = len(table.local)
    if len(table.ulid) != 16 * size:
        raise WireError(f"peeps.snapshot: nodes.ulid has {len(table.ulid)} bytes for {size} nodes, 16 each expected")

    def column(values: Iterable[int]) -> list[int]:
        return _column(values, size)

    kinds, names, sources = column(table.kind), column(table.name), column(table.source)
    created, flags, states = column(table.created_at), column(table.flags), column(table.state)
    providers, steps, stack_rows = column(table.providers), column(table.steps), column(table.stack)
    operations, since, needs = column(table.wait_operation), column(table.wait_since), column(table.wait_needs)
    deadlines, wait_sources = column(table.wait_deadline), column(table.wait_source)
    nodes: list[Node] = []
    for row in range(size):
        kind = _NODE_KINDS[kinds[row]]
        wait = None
        if operations[row]:
            wait = Wait(
                operation=strings[operations[row]],
                since_ns=since[row],
                source=strings[wait_sources[row]],
                needs=needs[row],
                deadline_ns=deadlines[row] or None,
                exact=bool(flags[row] & _WAIT_EXACT),
            )
        nodes.append(
            Node(
                id=f"{kind}:{ulid_text(table.ulid[16 * row : 16 * row + 16])}",
                kind=kind,
                name=strings[names[row]],
                created_at=created[row],
                source=strings[sources[row]],
                confidence=Confidence.INFERRED if flags[row] & _INFERRED else Confidence.EXACT,
                state=strings[states[row]] or None,
                providers=_PROVIDERS[providers[row]],
                wait=wait,
                stack=stacks[stack_rows[row]],
                steps=steps[row] - 1 if steps[row] else None,
            )
        )
    rows = list(table.attribute_row)
    keys, types = _column(table.attribute_key, len(rows)), _column(table.attribute_type, len(rows))
    for row, key, kind_of_value, number in zip(
        rows, keys, types, _column(table.attribute_value, len(rows)), strict=True
    ):
        value: AttributeValue
        if kind_of_value == 2:
            value = bool(number)
        elif kind_of_value == 1:
            value = number
        elif number < 0:
            raise IndexError
        else:
            value = strings[number]
        nodes[row].attributes[strings[key]] = value
    return nodes


def _decode_edges(message: Message, strings: list[str], nodes: list[Node], ids: dict[int, str]) -> list[Edge]:
    table = message.edges
    rows = list(table.source_row)
    size = len(rows)
    kinds, targets, since = _column(table.kind, size), _column(table.target, size), _column(table.since, size)
    sources, flags = _column(table.source, size), _column(table.flags, size)
    edges: list[Edge] = []
    for number, row in enumerate(rows):
        destination = ids.get(targets[number])
        if destination is None:
            continue
        edges.append(
            Edge(
                kind=_EDGE_KINDS[kinds[number]],
                src=nodes[row].id,
                dst=destination,
                since_ns=since[number] or None,
                source=strings[sources[number]] or None,
                confidence=Confidence.INFERRED if flags[number] & _INFERRED else Confidence.EXACT,
                cancels=bool(flags[number] & _CANCELS),
                bare=bool(flags[number] & _BARE),
            )
        )
    return edges
