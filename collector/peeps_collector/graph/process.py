# SPDX-License-Identifier: Apache-2.0
"""What is known of one process: its nodes, where its snapshot stream stands, and whether it still speaks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from peeps_otel.model import Node
from peeps_otel.model.coverage import blind
from peeps_otel.model.snapshot_pb2 import Snapshot as Message

from ..decode.resource import ProcessInfo
from .entries import Entries
from .entry import Nodes
from .lag import Lag
from .own_clock import OwnClock
from .standing import Standing

SILENT_NS = 5_000_000_000
GONE_NS = 60_000_000_000
FORGET_NS = 3_600_000_000_000
_CHANGED_MOST = 1000
_INTERVAL_MOST_NS = 86_400_000_000_000


class State(StrEnum):
    """LIVE: speaks. SILENT: nothing for three intervals, at least 5 s. GONE: said goodbye, nothing
    for 60 s (unless it is a process of this host that exists), or its sidecar saw it end.
    FOREIGN: sends ordinary telemetry only."""

    LIVE = "live"
    SILENT = "silent"
    GONE = "gone"
    FOREIGN = "foreign"


@dataclass(slots=True)
class Process:
    """One process. Owned by the live graph and guarded by its lock.

    `updates`: grows with each applied snapshot or node record; `node_sequence`: the last snapshot sequence that a
    readable node record of this stream named, by node; `past_streams`: streams that were replaced by a newer one.
    `changed`: the nodes that have changed since the diagnosis last took them; None where it must take all. `unseen`:
    likewise, since the last view of the graph.
    `farewell`: what its sidecar said of its end; empty where it said goodbye itself, or nothing; `claim`: the same as
    long as it is not believed. `image`: `liveness.image_of` it when it began to speak. `secret`: of its
    stream, 0 where it has none. `busy`: a snapshot is being applied.
    `complete_at`: its `updates` when its picture became complete, 0 where it was not yet, -1 where it is
    not any more; `first_look`: at the first look of the diagnosis at that;
    `judged`: there was a second one, of something newer. `lag`: its history is behind, None where it is not.
    Times are the collector's clock but for `time_ns`, which is the process's own, of its last snapshot; `clock` says
    how far apart the two are. `said_last`: what it said of itself when it was last heard of; `info`: all of it.
    """

    info: ProcessInfo
    first_seen_ns: int
    last_seen_ns: int
    said_last: ProcessInfo | None = None
    state: State = State.FOREIGN
    pulse_ns: int = 0
    stream_id: int | None = None
    sequence: int = 0
    time_ns: int = 0
    stream_began_ns: int = 0
    past_streams: set[int] = field(default_factory=set[int])
    interval_ns: int = 0
    cpu_ns: int = 0
    dropped: int = 0
    coverage: list[str] = field(default_factory=list[str])
    shed: list[str] = field(default_factory=list[str])
    needs_key_frame: bool = False
    missed: int = 0
    updates: int = 0
    entries: Entries = field(default_factory=Entries)
    standing: Standing = field(default_factory=Standing)
    changed: set[str] | None = None
    unseen: set[str] | None = None
    node_sequence: dict[str, int] = field(default_factory=dict[str, int])
    farewell: str = ""
    claim: str = ""
    image: int = 0
    secret: int = 0
    busy: bool = False
    complete_at: int = 0
    first_look: int = 0
    judged: bool = False
    lag: Lag | None = None
    clock: OwnClock = field(default_factory=OwnClock)

    @property
    def nodes(self) -> Mapping[str, Node]:
        return Nodes(self.entries)

    def state_at(self, now_ns: int) -> State:
        """The state by the clock; GONE stays until the process sends again."""
        if self.state in {State.GONE, State.FOREIGN}:
            return self.state
        if now_ns - self.last_seen_ns > GONE_NS:
            return State.GONE
        # Who sends snapshots is judged by them: metrics alone do not make an old picture fresh.
        pulse = self.pulse_ns if self.sequence else self.last_seen_ns
        return State.SILENT if now_ns - pulse > self.silent_after_ns else State.LIVE

    @property
    def silent_after_ns(self) -> int:
        return max(3 * self.interval_ns, SILENT_NS)

    def is_newer(self, node_id: str, stream_id: int | None, sequence: int | None) -> bool:
        """Whether a readable record of a node, by the place that it names, is newer than what is known of the node."""
        if sequence is None:
            # Says nothing about its place: believed, unless a snapshot stream knows better.
            return self.sequence == 0
        if self.sequence and stream_id is not None and stream_id != self.stream_id:
            return False
        return sequence > self.sequence and sequence >= self.node_sequence.get(node_id, 0)

    def follow(self, message: Message, now_ns: int) -> None:
        """The stream stands at this snapshot now. After a gap the picture is complete again with the next key frame."""
        if self.clock.note(message.time_unix_nano, now_ns):
            self.changed = None  # all times are others
        expected = self.sequence + 1
        if message.key_frame:
            self.needs_key_frame, self.missed = False, 0
        elif message.sequence != expected:
            self.needs_key_frame = True
            self.lose_picture()
            self.missed += message.sequence - expected
        cost = message.cost
        self.sequence = message.sequence
        self.time_ns = message.time_unix_nano
        self.interval_ns = min(cost.interval_ns, _INTERVAL_MOST_NS)
        self.cpu_ns = cost.cpu_ns
        self.dropped = cost.dropped
        self.coverage, self.shed = list(message.coverage), list(message.shed)

    def forget_stream(self) -> None:
        """Back to knowing nothing of the process's graph; the caller has recorded its nodes as gone."""
        self.stream_id = None
        self.secret = 0
        self.sequence = 0
        self.stream_began_ns = 0
        self.needs_key_frame = False
        self.lose_picture()
        self.complete_at = 0
        self.missed = 0
        self.entries = Entries()
        self.standing = Standing()
        self.changed = self.unseen = None
        self.node_sequence = {}

    def lose_picture(self) -> None:
        """It is not complete any more; the looks at it do not count."""
        self.complete_at = -1 if self.complete_at else 0
        self.first_look, self.judged = 0, False

    def note_changed(self, nodes: Iterable[str]) -> None:
        """For the diagnosis and the next view, which may take them much later: at worst they take all."""
        most = 2 * len(self.entries) + _CHANGED_MOST
        if self.changed is not None:
            self.changed.update(nodes)
            if len(self.changed) > most:
                self.changed = None
        if self.unseen is not None:
            self.unseen.update(nodes)
            if len(self.unseen) > most:
                self.unseen = None

    def take_unseen(self) -> set[str]:
        """What has changed since the last call, where that is known."""
        unseen, self.unseen = self.unseen or set[str](), set()
        return unseen

    def coverage_notes(self, has_finding: bool = False) -> list[str]:
        """What could not be observed, by the process's own word and by ours. `has_finding`: something stuck in it is
        told already; then nobody takes the first look for an all-clear."""
        told = list(self.coverage)
        if self.lag is not None:
            told.append(f"history is late, and has only the newest state of each node: {self.lag.reason}")
        if not self.sequence or self.judged or (has_finding and self.complete_at >= 0):
            return told
        if self.complete_at < 0:
            what = f"{self.missed} snapshots were missed: the picture is incomplete until the next key frame"
        else:
            what = "first look pending: what it does has not been seen twice yet"
        return [*told, blind(what)]
