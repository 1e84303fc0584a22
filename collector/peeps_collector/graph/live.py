# SPDX-License-Identifier: Apache-2.0
"""The live graph: everything that is alive now in every process that sends.

The snapshot stream of a process is the authority; readable node records fill in where there is no stream, or where
they are newer than it (last writer by snapshot sequence). A gap in the stream keeps what is known, but takes the
process out of the diagnosis until its next key frame: a task whose progress was missed must not look stuck.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Container, Generator, Iterable, Mapping

import numpy as np

from peeps_otel.diagnosis.parties import Turned
from peeps_otel.diagnosis.two_ends import EndQuestion
from peeps_otel.model import Node
from peeps_otel.model.snapshot_pb2 import Snapshot as Message
from peeps_otel.model.wire_decoder import Head, WireError, head_of, parsed
from peeps_otel.model.wire_numbers import NODE_KINDS

from ..decode.canonical import Rejected
from ..decode.logs import GoneRecord, NodeRecord
from ..decode.resource import ProcessInfo
from ..quotas import Quotas
from ..store.buffer import RowBuffer
from .across import KINDS, MARKS, Across
from .applying import FEW, Picture, Stream, picture_steps, said_again
from .binding import Binding, apart, binding_of
from .changes import Changes
from .endings import by_its_pid, is_believed
from .entries import Entries
from .entry import Entry
from .history import History
from .identity import adopted
from .incremental import Delta
from .joins import Peer
from .liveness import image_of
from .process import FORGET_NS, Process, State
from .process_table import ProcessTable
from .rows import snapshot_row
from .standing import Standing
from .taken import Taken
from .view import View, Viewing

NODES_MOST = 1_000_000
_JOINED = [number for number, kind in enumerate(NODE_KINDS) if kind in KINDS]


class LiveGraph:
    """Thread-safe: one lock, held for the length of one applied snapshot or one copy."""

    def __init__(
        self, rows: RowBuffer, few: int = FEW, quotas: Quotas | None = None, nodes_most: int = NODES_MOST
    ) -> None:
        """`few`: see `picture_steps`. `quotas`: of the history; `nodes_most`: alive in one process."""
        self._few = few
        self._nodes_most = nodes_most
        self._rows = rows
        self._history = History(rows, quotas or Quotas())
        self._lock = threading.RLock()
        self._table = ProcessTable(rows)
        self._joins = Across()
        self._version = 1
        self._keeps_all = False
        self._view: View | None = None
        self._viewing = Viewing()
        self.last_change_ns = 0

    # --- writing ----------------------------------------------------------------------------------------------------

    def seen(self, info: ProcessInfo, now_ns: int) -> None:
        """Something arrived from this process."""
        with self._lock:
            self._table.seen(info, now_ns)

    def remember(self, past: Iterable[tuple[ProcessInfo, int, int]]) -> None:
        """Processes of a recording, first and last heard of then: they are gone, and are never forgotten."""
        with self._lock:
            self._keeps_all = True
            for info, first_ns, last_ns in past:
                self._table.processes[info.id] = Process(info, first_ns, last_ns, state=State.GONE)

    def snapshot_steps(self, info: ProcessInfo, body: bytes, now_ns: int) -> Generator[None, None, list[str]]:
        """Applies one `peeps.snapshot` in slices; an old one (a repetition) changes nothing. The lock is held for the
        last step only, which makes it visible as a whole. Returns why some rows were left out.

        Raises WireError; what is known stays.
        """
        message = parsed(body)
        head = head_of(message)
        yield
        while True:
            with self._lock:
                process = self._process_of(self._table.seen(info, now_ns), head, now_ns)
                if process is None:
                    return []
                if not process.busy:
                    process.busy = True
                    break
            yield
        try:
            same = process.stream_id == head.stream_id
            key, owner = process.info.id, self._table.owner
            standing = process.standing if same else Standing(lambda node: adopted(node, key, owner))
            while True:
                stream = Stream(standing, process.entries, same)
                picture = yield from picture_steps(message, key, stream, self._few)
                if not same:
                    _take_rows(standing, picture, message)  # nobody else knows it yet
                    yield
                with self._lock:
                    self._check_size(process, picture, same)
                    if not same or standing.is_current(picture.placed):
                        self._take(process, stream, message, picture, now_ns, len(body))
                        break
            if message.key_frame:
                yield from said_again(picture, process.entries)
        finally:
            process.busy = False
        return picture.reasons

    def apply_node(self, info: ProcessInfo, record: NodeRecord, now_ns: int) -> bool:
        """Applies one `peeps.node`. False where the stream or a later record already said more."""
        with self._lock:
            process = self._table.seen(info, now_ns)
            node = record.node
            if process.secret:
                return False  # its stream says all that it has, and nobody else can continue that
            if not process.is_newer(node.id, record.stream_id, record.sequence):
                return False
            if self._table.owner.get(node.id, info.id) != info.id:
                raise Rejected(f"node {node.id}: this id is of another process; give each node a ULID of its own")
            changes = Changes(info.id, record.time_ns)
            entry = Entry.of(node, tuple(record.edges))
            before = process.entries.get(node.id)
            if before is None:
                changes.upsert(None, node, (), entry.edges)
            else:
                changes.upsert(before.node, node, before.edges, entry.edges)
            process.entries[node.id] = entry
            process.standing.put(node)
            self._table.owner[node.id] = info.id
            if record.sequence is not None:
                process.node_sequence[node.id] = record.sequence
            self._commit(process, changes, now_ns)
            self._rows.add_request(changes.tables())
            return True

    def apply_gone(self, info: ProcessInfo, record: GoneRecord, now_ns: int) -> bool:
        """Applies one `peeps.node.gone`."""
        with self._lock:
            process = self._table.seen(info, now_ns)
            entry, key = process.entries.get(record.node_id), record.node_id
            if entry is None or process.secret or not process.is_newer(key, record.stream_id, record.sequence):
                return False
            changes = Changes(info.id, record.time_ns)
            changes.gone(entry.node, entry.edges)
            del process.entries[key]
            process.standing.remove(key)
            self._table.owner.pop(key, None)
            process.node_sequence.pop(key, None)
            self._commit(process, changes, now_ns)
            self._rows.add_request(changes.tables())
            return True

    def expire(self, now_ns: int) -> None:
        """Moves processes to SILENT and GONE by the clock, and forgets those that ended long ago."""
        with self._lock:
            for process in list(self._table.processes.values()):
                if process.busy:
                    continue
                state = process.state_at(now_ns)
                if state in {State.SILENT, State.GONE} and process.state is not State.GONE:
                    state = by_its_pid(process, state)
                if state is State.SILENT and process.claim:
                    process.farewell, state = process.claim, State.GONE
                if state is State.GONE and process.state is not State.GONE:
                    self._end(process, process.time_ns or process.last_seen_ns)
                elif state is not process.state:
                    process.state = state
                    self._table.store(process)
                    self._touch()
                elif self._keeps_all:
                    continue
                elif state in {State.GONE, State.FOREIGN} and now_ns - process.last_seen_ns > FORGET_NS:
                    del self._table.processes[process.info.id]

    def ended(self, key: str, pid: int | None, farewell: str) -> None:
        """A process ended without a goodbye, by the word of its sidecar, where that is to be believed."""
        with self._lock:
            process = self._table.processes.get(key)
            if process is None or process.state is State.GONE or process.info.pid != pid:
                return
            believed = is_believed(process)
            if believed is None:
                process.claim = farewell
            elif believed:
                process.farewell = farewell
                self._end(process, process.time_ns or process.last_seen_ns)

    def age_joins(self, now_ns: int, attached: dict[Peer, bool]) -> None:
        """What becomes sure of requests and responses without the other end. `attached`: of the addresses of
        `unanswered`, those where a process is known to listen, and whether it reports to us."""
        with self._lock:
            self._turn(self._joins.age(now_ns, attached), now_ns)

    def clock_jumped(self, by_ns: int) -> None:
        """The clock was set, or the machine slept: nobody is older or younger for that."""
        with self._lock:
            self._table.clock_jumped(by_ns)

    def touch(self) -> None:
        """A new version without a change of the graph: a finding came or went."""
        with self._lock:
            self._touch()

    def store_processes(self) -> None:
        """Writes every process down as it stands; for the end."""
        with self._lock:
            for process in self._table.processes.values():
                self._table.store(process)

    # --- reading ----------------------------------------------------------------------------------------------------

    @property
    def version(self) -> int:
        return self._version

    def view(self) -> View:
        with self._lock:
            if self._view is None or self._view.version != self._version:
                self._view = self._viewing.view(self._version, self._table.processes, self._joins)
            return self._view

    def take_changes(self, known: Container[str]) -> tuple[dict[str, Delta], dict[str, int]]:
        """What has changed since the last call, for the one that diagnoses, and the `updates` of each process.

        Of every process whose picture is complete; all of it for those that are not `known`.
        """
        with self._lock:
            taken = Taken(self._table.processes, self._joins, known)
        return taken.deltas(), taken.updates

    def judged(self, updates: Mapping[str, int]) -> None:
        """The diagnosis has seen these processes as `take_changes` told."""
        with self._lock:
            for key, count in updates.items():
                process = self._table.processes.get(key)
                if process is None or process.judged or not 0 < process.complete_at <= count:
                    continue
                if not process.first_look:
                    process.first_look = count
                elif count > process.first_look:
                    process.judged = True
                    self._touch()

    def find(self, nodes: Collection[str]) -> dict[str, tuple[str, Node]]:
        """The process and the state of those that are alive, without a copy of the graph."""
        with self._lock:
            found: dict[str, tuple[str, Node]] = {}
            for key, process in self._table.processes.items():
                for node_id in nodes:
                    entry = process.entries.get(node_id)
                    if entry is not None:
                        found[node_id] = (key, self._joins.dressed(entry.node))
            return found

    def unanswered(self) -> set[Peer]:
        """Where the requests went that nobody is seen to answer."""
        with self._lock:
            return self._joins.unanswered()

    def wanted_ends(self, now_ns: int) -> list[EndQuestion]:
        """Which processes to ask for the other ends of which connections."""
        with self._lock:
            living = [one.info for one in self._table.processes.values() if one.state is State.LIVE and one.sequence]
            return self._joins.wanted(living, now_ns)

    def processes(self) -> dict[str, Process]:
        """Shallow; read single fields only."""
        with self._lock:
            return dict(self._table.processes)

    def speaker(self, stream_id: int, secret: int) -> str | None:
        """The process whose stream this is, by what only its sender knows."""
        with self._lock:
            return self._table.speaker(stream_id, secret)

    def not_answered(self) -> list[str]:
        """Processes whose picture is old or incomplete."""
        with self._lock:
            return [k for k, p in self._table.processes.items() if p.state is State.SILENT or p.needs_key_frame]

    # --- inside, with the lock held ----------------------------------------------------------------------------------

    def _join(self, process: Process, changed: Collection[str], now_ns: int) -> None:
        """These nodes of a process have changed, or are gone."""
        for node_id in changed:
            entry = process.entries.get(node_id)
            if entry is None:
                turned = self._joins.drop(node_id, now_ns)
            else:
                turned = self._joins.put(entry.node, entry.edges, process.info, now_ns)
            self._turn(turned, now_ns)

    def _joinable(self, picture: Picture) -> Collection[str]:
        """The nodes of which something new is said that `Across` keeps anything of, or did."""
        if picture.batch is None or picture.rows is None:
            return picture.entries.keys()
        ids, rows = picture.placed.ids, picture.rows
        marked = [ids[row] for row in picture.batch.rows_marked(MARKS)]
        joined: list[int] = rows[np.isin(picture.placed.kinds[rows], _JOINED)].tolist()
        found = {ids[row] for row in joined}
        return found.union(*(said & picture.entries.keys() for said in (*self._joins.said(), set(marked))))

    def _turn(self, turned: list[Turned], now_ns: int) -> None:
        for one in turned:
            process = self._table.processes.get(one.process)
            if process is None:
                continue
            process.note_changed([one.node_id])
            changes = Changes(one.process, now_ns)
            changes.relink(one.before, one.after)
            self._rows.add_request(changes.tables())
            self._touch()

    def _process_of(self, process: Process, head: Head, now_ns: int) -> Process | None:
        """The process a snapshot is of; None where it is old. Raises WireError."""
        found = binding_of(process, head)
        if found is Binding.APART:
            other = self._table.seen(apart(process.info, head), now_ns)
            return self._process_of(other, head, now_ns)
        return process if found is Binding.HERE else None

    def _take(
        self, process: Process, stream: Stream, message: Message, picture: Picture, now_ns: int, size: int
    ) -> None:
        key, standing = process.info.id, stream.standing
        if process.lag is not None:
            process.lag.note(picture.changes.nodes, process.entries)
        if not stream.same:
            if process.sequence and process.stream_id is not None:
                process.past_streams.add(process.stream_id)
            self._table.disown(process)
            process.forget_stream()
            process.stream_id, process.standing = message.stream_id, standing
            process.stream_began_ns, process.secret = message.time_unix_nano, message.secret
        process.follow(message, now_ns)
        for slot in picture.ended:
            process.entries.pop(standing.ids[slot], None)
            self._table.owner.pop(standing.ids[slot], None)
        kept = {one.node_id for one in picture.over}.intersection(picture.placed.ids) if picture.ended else ()
        process.entries.take(picture.entries)
        new = picture.entries if picture.rows is None or not stream.same else picture.placed.new()
        self._table.owner.update(dict.fromkeys(new, key))
        for one in picture.over if kept else ():
            if one.node_id in kept:  # ended and named at once: it is there
                process.entries.setdefault(one.node_id, one)
                self._table.owner[one.node_id] = key
        if stream.same:
            _take_rows(standing, picture, message)
        joined = {one.node_id for one in picture.over}.union(self._joinable(picture))
        process.node_sequence = {n: s for n, s in process.node_sequence.items() if s > message.sequence}
        counts = len(picture.placed.ids), picture.edges, len(message.gone)
        self._history.write(process, picture.changes, snapshot_row(process, message, *counts, size, now_ns), size)
        self._commit(process, picture.changes, now_ns, joined)
        if not process.needs_key_frame and process.complete_at <= 0:
            process.complete_at = process.updates
        if message.key_frame and not picture.placed.ids and not message.cost.interval_ns:
            self._end(process, message.time_unix_nano)  # nothing is alive and no further snapshot: goodbye

    def _commit(self, process: Process, changes: Changes, now_ns: int, joined: Collection[str] | None = None) -> None:
        """`joined`: those of the changed nodes of which other processes may say something; None: any."""
        process.updates += 1
        process.note_changed(changes.nodes)
        self._join(process, changes.nodes if joined is None else joined, now_ns)
        process.pulse_ns = now_ns
        if process.state is not State.LIVE:
            process.state = State.LIVE
            process.image = process.image or image_of(process.info)
            process.farewell = process.claim = ""
            self._table.store(process)
            self._touch()
        if changes.any:
            self.last_change_ns = now_ns
            self._touch()

    def _check_size(self, process: Process, picture: Picture, same: bool) -> None:
        """Raises WireError."""
        known = process.entries if same else Entries()
        count = len(known) - len(picture.ended) + len(picture.entries)
        if count > self._nodes_most:
            count -= len(picture.entries.keys() & known.keys())
        if count > self._nodes_most:
            raise WireError(
                f"peeps.snapshot: {count} nodes would be alive, more than {self._nodes_most} (PEEPS_PROCESS_NODES)"
            )

    def _end(self, process: Process, time_ns: int) -> None:
        self._history.end(process, time_ns)
        self._table.disown(process)
        ended = list(process.entries)
        process.forget_stream()
        self._join(process, ended, time_ns)
        process.updates += 1
        process.state = State.GONE
        self._table.store(process)
        self._touch()

    def _touch(self) -> None:
        self._version += 1


def _take_rows(standing: Standing, picture: Picture, message: Message) -> None:
    standing.take(picture.placed, picture.state, picture.ended, message.gone, message.key_frame)
