# SPDX-License-Identifier: Apache-2.0
"""`Snapshot` to the bytes of `peeps.v1.Snapshot` (proto/peeps/v1/snapshot.proto); from them: `wire_decoder`.

Both ends keep the table of local numbers of one stream, so there is an `Encoder` per stream and a `Decoder` per
stream; neither is thread-safe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count
from typing import Protocol

from .graph import Confidence, Edge, Frame, Node
from .snapshot import Snapshot
from .snapshot_pb2 import Snapshot as Message
from .ulid import ulid_bytes
from .wire_numbers import BARE, CANCELS, EDGE_KINDS, INFERRED, NODE_KINDS, OWN, PROVIDERS, WAIT_EXACT

_NODE_NUMBER = {kind: number for number, kind in enumerate(NODE_KINDS)}
_EDGE_NUMBER = {kind: number for number, kind in enumerate(EDGE_KINDS)}
_PROVIDERS_NUMBER = {providers: number for number, providers in enumerate(PROVIDERS)}

_AT_ONCE = 1000  # rows of one part
_FRAMES_AT_ONCE = 200
_PAUSE_EVERY = 50  # rows that are written one by one


class Column(Protocol):
    """A column of numbers of a message."""

    def extend(self, values: Iterable[int], /) -> None: ...


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
            secret=snapshot.secret,
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
            self._encode_nodes(part, snapshot.nodes[start : start + _AT_ONCE], row_of, ulids, text, stack, pause)
            parts.append(part.SerializeToString())
            pause()
        message.nodes.ulid = b"".join(ulids)  # one value, not one per part: the last would win
        for start in range(0, len(snapshot.edges), _AT_ONCE):
            part = Message()
            self._encode_edges(part, snapshot.edges[start : start + _AT_ONCE], row_of, text, pause)
            parts.append(part.SerializeToString())
            pause()
        for number, frame_tuple in enumerate(stacks):
            if number % _PAUSE_EVERY == 0:
                pause()
            message.stacks.length.append(len(frame_tuple))
            message.stacks.frame.extend([frames.setdefault(frame, len(frames)) for frame in frame_tuple])
        distinct = list(frames)
        for start in range(0, len(distinct), _FRAMES_AT_ONCE):
            some = distinct[start : start + _FRAMES_AT_ONCE]
            pause()
            message.frames.function.extend([text(frame.function) for frame in some])
            message.frames.file.extend([text(frame.file) for frame in some])
            message.frames.line.extend([frame.line or 0 for frame in some])
            message.frames.owner.extend([_owner(frame, text) for frame in some])
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
        pause: Callable[[], None],
    ) -> None:
        """Adds the rows of `nodes`, after those that are in `row_of` and `ulids` already."""
        table = message.nodes
        local_of = self._local
        for row, node in enumerate(nodes, len(row_of)):
            if row % _PAUSE_EVERY == 0:
                pause()
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
                (INFERRED if node.confidence is Confidence.INFERRED else 0)
                | (WAIT_EXACT if wait is not None and wait.exact else 0)
            )
        waits = [node.wait for node in nodes]
        columns: tuple[tuple[Column, Callable[[], list[int]]], ...] = (
            (table.kind, lambda: [_NODE_NUMBER[node.kind] for node in nodes]),
            (table.name, lambda: [text(node.name) for node in nodes]),
            (table.created_at, lambda: [node.created_at for node in nodes]),
            (table.source, lambda: [text(node.source) for node in nodes]),
            (table.state, lambda: [text(node.state) for node in nodes]),
            (table.providers, lambda: [_PROVIDERS_NUMBER[node.providers] for node in nodes]),
            (table.steps, lambda: [0 if node.steps is None else node.steps + 1 for node in nodes]),
            (table.stack, lambda: [stack(node.stack) for node in nodes]),
            (table.wait_operation, lambda: [0 if wait is None else text(wait.operation) for wait in waits]),
            (table.wait_since, lambda: [0 if wait is None else wait.since_ns for wait in waits]),
            (table.wait_needs, lambda: [0 if wait is None else wait.needs for wait in waits]),
            (table.wait_deadline, lambda: [0 if wait is None else wait.deadline_ns or 0 for wait in waits]),
            (table.wait_source, lambda: [0 if wait is None else text(wait.source) for wait in waits]),
        )
        for column, values in columns:
            column.extend(values())
            pause()

    def _encode_edges(
        self,
        message: Message,
        edges: list[Edge],
        row_of: dict[str, int],
        text: Callable[[str | None], int],
        pause: Callable[[], None],
    ) -> None:
        table = message.edges
        for number, edge in enumerate(edges):
            if number % _PAUSE_EVERY == 0:
                pause()
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
                (INFERRED if edge.confidence is Confidence.INFERRED else 0)
                | (CANCELS if edge.cancels else 0)
                | (BARE if edge.bare else 0)
            )


def _owner(frame: Frame, text: Callable[[str | None], int]) -> int:
    return 0 if frame.library is None else OWN + text(frame.library)
