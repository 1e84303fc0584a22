# SPDX-License-Identifier: Apache-2.0
"""The gevent probe: every greenlet, what it waits for, who has that.

It looks on our own thread. While that has the interpreter, no greenlet goes on, and each that is suspended is inside a
switch: its functions and their variables stand still. The clock of the hub's thread tells whether it had the
interpreter meanwhile; what was read before counts no more then. Between two strokes, each much shorter than the time
after which a thread that waits for the interpreter is given it, nothing of the program is in our hands.
"""

from __future__ import annotations

import sys
import time
from typing import Any, NamedTuple
from weakref import ref

from ... import native, semconv
from ...model import AttributeValue, Edge, EdgeKind, Wait, own_line
from ...model.coverage import blind
from ..asyncio.failures import Failures
from ..context import ProbeContext
from ..identity import Identities
from ..internals import gevent as internals
from ..internals import stdlib as stdlib_internals
from ..internals import thread as thread_internals
from ..internals.current_frames import current_frames
from ..internals.frame_memory import reads
from ..internals.gevent import Types
from ..patches.gevent_spawn import SpawnedGreenlets
from ..pools.holders import PoolHolders
from ..probe import Observation, Yield
from ..targets import all_nodes
from ..threads import holds
from ..threads.call_stack import CallStack
from ..threads.place_of_use import place_of_use
from ..threads.waits import Waiting, deadline_ns
from ..unique_names import UniqueNames
from .greenlets import GreenletRecord, first_seen
from .hubs import Hub
from .rounds import Rounds
from .timeouts import due_ns
from .waits import GreenletWaits
from .wakers import Wakers, in_hand

_STROKE_NS = 1_000_000
_SHORTEST_SWITCH_S = 0.002
_NEW_MOST = 2000
_REST_S = 0.00005
_JOINS = frozenset({"greenlet.join", "greenlet.joinall", "thread.join"})
_Met = tuple[ref[Any], Hub, bool]
"""A greenlet, its hub, and whether its thread has begun with it."""


class _Reader(NamedTuple):
    """What reads greenlets, for one look."""

    types: Types
    waits: GreenletWaits
    wakers: Wakers
    now_ns: int


class GeventProbe:
    """A `Probe`. To be made after those of asyncio and Trio, and before that of threads: all tell whose a task is."""

    name = "gevent"

    def __init__(self, context: ProbeContext, spawned: SpawnedGreenlets) -> None:
        self._context, self._spawned = context, spawned
        self._resources = context.resources
        self._types: Types | None = None
        self._waits: GreenletWaits | None = None
        self._pool_holders = PoolHolders(context.libraries, context.resources)
        self._greenlets: Identities[GreenletRecord] = Identities()
        self._names = UniqueNames()
        self._rounds = Rounds()
        self._hubs: dict[int, Hub] = {}
        self._looks = 0
        self._last_look_ns = 0
        self._of_others, self._at_of_others = self._resources.task_id, self._resources.task_at
        self._resources.task_id, self._resources.task_at = self._owner, self._at

    def install(self) -> None:
        """From now on it is known which greenlets are started."""
        self._spawned.install()

    def uninstall(self) -> None:
        self._spawned.uninstall()

    # --- a look -------------------------------------------------------------------------------------------------------

    def observe(self, observation: Observation, now_ns: int, pause: Yield) -> None:
        """All greenlets of all hubs."""
        self._context.libraries.activate_imported()
        types = self._ready()
        if types is None or not _readable(observation):
            return
        if not self._spawned.listens:
            if thread_internals.is_copy():
                self._spawned.search()
            else:
                observation.coverage.append(blind("gevent: greenlets are not seen where nothing is recorded"))
        waits = self._waits or GreenletWaits(self._context.libraries, types)
        self._waits = waits
        waits.refresh()
        self._looks += 1
        self._hubs = {}
        failed = Failures()
        reader = _Reader(types, waits, Wakers(types), now_ns)
        met = self._all(types)
        self._read_all(reader, met, observation, failed)
        unreadable = sum(hub.native_id is None for hub in self._hubs.values())
        if unreadable:
            observation.coverage.append(
                blind(
                    f"gevent: {unreadable} hubs in threads that `threading` does not know: their greenlets are not seen"
                )
            )
        for gone in self._greenlets.sweep(lambda record: record.last_look != self._looks, pause):
            self._names.give_back(gone.node.kind, gone.name, gone.number)
        self._show(observation)
        observation.coverage += failed.told()
        self._last_look_ns = now_ns

    def _read_all(self, reader: _Reader, met: list[_Met], observation: Observation, failed: Failures) -> None:
        most = _NEW_MOST if self._context.new_tasks_most is None else self._context.new_tasks_most
        unread = 0
        begun_ns = time.perf_counter_ns()
        for reference, hub, is_main in met:
            if time.perf_counter_ns() - begun_ns > _STROKE_NS:
                native.sleep(_REST_S)
                if self._context.paced is not None:
                    self._context.paced()
                begun_ns = time.perf_counter_ns()
            one = reference()
            if one is None or hub.native_id is None:
                continue
            record = self._greenlets.get(one)
            if record is None and most <= 0:
                unread += 1
                continue
            most -= record is None
            try:
                self._look_at(reader, one, hub, is_main)
            except Exception as error:
                failed.add(error)
            one = None
        if unread:
            observation.coverage.append(blind(f"{unread:,} greenlets have not been looked at yet"))

    def confirm(self, observation: Observation, now_ns: int, _pause: Yield) -> None:
        """Where a hub has run since its greenlets were read, those go on that nobody will wake any more: they were
        woken. Then what the hubs themselves do."""
        ran = {hub.address for hub in self._hubs.values() if hub.has_run()}
        for _, record in self._greenlets.records():
            woken = record.waker is not None and record.waker() is None
            if record.hub in ran and record.node.wait is not None and woken:
                self._no_wait(record, "runnable", {})
                observation.nodes[record.id], observation.edges[record.id] = record.node, ()
        running = {record.hub: record for _, record in self._greenlets.records() if record.node.state == "running"}
        for hub in self._hubs.values():
            self._rounds.tell(observation, self._context, hub, running.get(hub.address), now_ns)

    def _ready(self) -> Types | None:
        if self._types is None and internals.is_imported():
            self._types = internals.known()
        return self._types

    def _all(self, types: Types) -> list[_Met]:
        """Every greenlet of a hub whose thread lives, and the one that the thread has begun with."""
        living = current_frames().keys()
        found: dict[int, _Met] = {}
        for reference in self._spawned.references():
            one = reference()
            if one is None or issubclass(type(one), types.hub):
                continue
            parent = internals.hub_of(types, one)
            hub = None if parent is None else self._hubs.get(id(parent))
            ident = None if parent is None else internals.thread_of(parent)
            if hub is None and ident is not None and ident in living:
                hub = self._hubs[id(parent)] = Hub(parent, ident)
                main = internals.main_of(types, parent)
                if main is not None:
                    found[id(main)] = ref(main), hub, True
                main = None
            if hub is not None:
                found.setdefault(id(one), (reference, hub, False))
            one = parent = None
        return list(found.values())

    # --- one greenlet -------------------------------------------------------------------------------------------------

    def _look_at(self, reader: _Reader, one: Any, hub: Hub, is_main: bool) -> None:
        types, now_ns = reader.types, reader.now_ns
        if internals.is_dead(types, one):
            return
        record, clock_ns = self._greenlets.get(one), hub.clock_ns()
        if record is not None and record.is_settled and record.hub == hub.address:
            stands = clock_ns is not None and record.clock_ns == clock_ns  # nobody of this hub has run since
            if stands or self._waits_on(types, one, record):
                record.last_look, record.clock_ns = self._looks, clock_ns
                return
        frame = internals.frame_of(types, one)
        calls = CallStack(frame, hub.clock(), clock_ns)
        frame = None
        if record is None:
            record = first_seen(one, is_main, calls, self._context, self._names, now_ns)
            self._greenlets.put(one, record)
        record.last_look, record.hub, record.is_settled = self._looks, hub.address, False
        parent = self._id_of(internals.spawner(one))
        more: dict[str, AttributeValue] = {semconv.TASK_THREAD: self._context.thread(hub.ident, now_ns)}
        if parent is not None:
            more[semconv.TASK_PARENT] = parent
        if len(calls):
            self._read(reader, one, record, calls, more, hub, clock_ns)
            calls.clear()
            return
        begun = internals.has_begun(types, one)
        alone = begun and self._is_suspended_in_c(hub)
        self._no_wait(record, "waiting" if alone else "running" if begun else "runnable", more)

    def _is_suspended_in_c(self, hub: Hub) -> bool:
        """Of one that has begun and has no frames: whether another one runs. The hub does, where its thread waits for
        events."""
        types = self._types
        frame = current_frames().get(hub.ident)
        while frame is not None and types is not None:
            if frame.f_code is types.hub_run:
                return True
            frame = frame.f_back
        return False

    def _waits_on(self, types: Types, one: Any, record: GreenletRecord) -> bool:
        """Whether it is still in the wait in which it was read: what will wake it is still noted."""
        if record.waker is None or record.waker() is None or record.node.wait is None:
            return False
        if self._pool_holders.wanted and not record.borrowed:
            return False
        return internals.frame_of(types, one) is not None

    def _read(
        self,
        reader: _Reader,
        one: Any,
        record: GreenletRecord,
        calls: CallStack,
        more: dict[str, AttributeValue],
        hub: Hub,
        clock_ns: int | None,
    ) -> None:
        waits, now_ns = reader.waits, reader.now_ns
        waiting = waits.classify(calls)
        given_up = holds.given_up(calls, waits.functions.condition_wait)
        taken = holds.taken(calls, given_up, self._held_by)
        borrowed = self._pool_holders.of_thread(calls) if self._pool_holders.wanted else ()
        use = place_of_use(waiting, calls)
        until_ns = None
        if waiting is not None and waiting.targets:
            until_ns = due_ns(reader.types, calls, now_ns)
        hand = in_hand(calls)
        stack = calls.named(self._context.with_lines)
        waker, is_noted = reader.wakers.of(one, waiting, hub.address)
        calls.clear()
        if hub.clock_ns() != clock_ns:
            self._no_wait(record, "runnable", more)  # parts of different moments: nothing is concluded from them
            return
        record.clock_ns, record.borrowed = clock_ns, borrowed
        record.holds = holds.held_since(record.id, record.holds, taken, self._resources, now_ns)
        if waiting is None or waiting.state == "idle":
            record.edges, record.targets = (), []
            record.show("idle" if waiting is not None else "waiting", None, stack, more)
            return
        if not is_noted:
            self._no_wait(record, "runnable", more)  # it was woken, and has not gone on yet
            return
        self._wait(record, waiting, use, waker, hand, until_ns, stack, more, now_ns)

    def _wait(
        self,
        record: GreenletRecord,
        waiting: Waiting,
        use: tuple[str, str],
        waker: ref[Any] | None,
        hand: tuple[int, ...],
        until_ns: int | None,
        stack: Any,
        more: dict[str, AttributeValue],
        now_ns: int,
    ) -> None:
        before = record.node.wait
        same = before is not None and before.operation == waiting.operation.name and record.print_ == hand
        if same and (waker is not None or record.waker is not None):
            same = waker is not None and record.waker is not None and waker() is record.waker()
        if not same:
            record.steps += 1
            record.until_ns = until_ns
        since_ns = before.since_ns if same and before is not None else now_ns
        record.waker, record.print_ = waker, hand
        source = own_line.place(stack)
        ends = [one for one in (deadline_ns(waiting, since_ns, now_ns), record.until_ns) if one is not None]
        found = all_nodes(waiting.targets, lambda target: self._node_of(target, waiting, use, now_ns))
        wait = Wait(waiting.operation.name, since_ns, source, waiting.needs, min(ends, default=None))
        edges = tuple(Edge(EdgeKind.NEEDS, record.id, target, since_ns, source) for target in found)
        record.edges = edges if edges != record.edges else record.edges
        record.is_settled = len(found) == len(waiting.targets)
        record.targets = [ref(one) for one in waiting.targets if self._resources.known(one) is not None]
        record.show(waiting.state, wait, stack, more)

    def _node_of(self, target: Any, waiting: Waiting, use: tuple[str, str], now_ns: int) -> str | None:
        if waiting.operation.name in _JOINS:
            return self._id_of(target) or self._of_thread(target)
        record = self._resources.record(target, now_ns, lambda: use)
        if record is None:
            return None
        node_id = record.node_of(waiting.operation.kind)
        self._resources.flows.waited_for(target, waiting.operation, node_id)
        return node_id

    def _of_thread(self, target: Any) -> str | None:
        """The greenlet that a patched thread is."""
        return self._at_address(stdlib_internals.thread_ident(target) or 0)

    def _no_wait(self, record: GreenletRecord, state: str, more: dict[str, AttributeValue]) -> None:
        record.edges, record.targets, record.holds, record.borrowed = (), [], [], ()
        record.waker, record.print_, record.is_settled = None, (), False
        record.steps += record.node.wait is not None
        kept = {
            name: value
            for name, value in record.node.attributes.items()
            if name in (semconv.TASK_THREAD, semconv.TASK_PARENT)
        }
        record.show(state, None, (), kept | more)

    def _show(self, observation: Observation) -> None:
        for _, record in self._greenlets.records():
            for reference in record.targets:
                self._resources.use(reference)
            for reference, held in record.holds:
                self._resources.hold(reference, held)
            wait = record.node.wait
            since_ns = self._last_look_ns if wait is None else wait.since_ns
            self._pool_holders.hold(record.id, since_ns, record.borrowed)
            observation.nodes[record.id], observation.edges[record.id] = record.node, record.edges

    # --- who is who ---------------------------------------------------------------------------------------------------

    def _held_by(self, manager: Any) -> object | None:
        return self._context.libraries.held_by_manager(manager, by_thread=True)

    def _id_of(self, one: Any) -> str | None:
        record = None if one is None else self._greenlets.get(one)
        return None if record is None else record.id

    def _owner(self, one: Any) -> str | None:
        return self._id_of(one) or self._of_others(one)

    def _at_address(self, address: int) -> str | None:
        record = self._greenlets.at(address)
        return None if record is None else record.id

    def _at(self, address: int) -> str | None:
        return self._at_address(address) or self._at_of_others(address)


def _readable(observation: Observation) -> bool:
    if not reads():
        version = ".".join(map(str, sys.version_info[:2]))
        observation.coverage.append(blind(f"gevent: greenlets are not read on this Python ({version})"))
        return False
    if sys.getswitchinterval() < _SHORTEST_SWITCH_S:
        observation.coverage.append(blind("gevent: greenlets are not read with so short a switch interval"))
        return False
    return True
