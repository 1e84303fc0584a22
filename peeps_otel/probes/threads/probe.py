# SPDX-License-Identifier: Apache-2.0
"""The thread probe: every thread of the process, what it waits for, and who has that.

A thread that has used no CPU time since it was last read is where it was: it is not read again. A reading counts only
if the thread has used none while it was read, or else its parts may be of different moments.
"""

from __future__ import annotations

import os
import sys
import threading
from types import FrameType
from typing import Any
from weakref import ref

from ... import native
from ...model import Confidence, Edge, EdgeKind, Frame, NodeKind, Wait, own_line
from ...model.coverage import blind
from ...model.operations import operation as operation_of
from ..context import ProbeContext
from ..inherited import ThreadHold
from ..internals import gevent, green_threads, sharing
from ..internals import stdlib as stdlib_internals
from ..internals import thread as thread_internals
from ..internals.current_frames import OTHER_INTERPRETER, asker, can_be_read, current_frames
from ..internals.frame_memory import reads
from ..internals.thread import ThreadFacts
from ..library import operation
from ..patches.thread_death import ThreadDeathPatch
from ..pools.holders import PoolHolders
from ..probe import Observation, Yield
from ..targets import all_nodes
from . import holds, motion, signals, waits
from .busy_database import busy_with
from .call_stack import CallStack
from .own_service import serves_at
from .place_of_use import place_of_use
from .pools import Pools, work_of
from .record import ThreadRecord, begins_at, show
from .waits import Classifier, Waiting

_YIELD_EVERY = 20  # threads between two chances for the others to run
_OURS = "peeps-"
_SHUTDOWN = operation("interpreter.shutdown")
_READ = operation("file.read")


class ThreadProbe:
    """Sees every thread of the process that Python knows. A `Probe`."""

    name = "threads"

    def __init__(self, context: ProbeContext | None = None, deaths: ThreadDeathPatch | None = None) -> None:
        """`deaths`: what tells of threads that an exception ends; installed and uninstalled with this."""
        self._deaths = deaths
        self._clock_is_fine: bool | None = None
        self._stacks_tell = reads()
        self._context = context or ProbeContext()
        self._threads: dict[int, ThreadRecord] = {}
        self._classifier = Classifier(self._context.libraries)
        self._resources = self._context.resources
        self._resources.thread_id = self._thread_id
        self._context.begin_look = self._forget_given_again
        self._resources.flows.ends.servers = self._servers
        self._pools = Pools(self._context.ids)
        self._pool_holders = PoolHolders(self._context.libraries, self._resources)

    def install(self) -> None:
        """What waits and holds is only read."""
        if self._deaths is not None:
            self._deaths.install()

    def uninstall(self) -> None:
        if self._deaths is not None:
            self._deaths.uninstall()

    def observe(self, observation: Observation, now_ns: int, pause: Yield) -> None:
        """All threads but ours, and what they wait for or have."""
        hidden = self._hidden()
        if hidden:
            observation.coverage.append(blind(hidden))
            self._threads.clear()
            return
        if self._clock_is_fine is None:
            self._clock_is_fine = thread_internals.cpu_clock_is_fine()
        if not self._stacks_tell:
            version = ".".join(map(str, sys.version_info[:2]))
            note = f"threads: holders and most waits are not read on this Python ({version})"
            observation.coverage.append(blind(note))
        if not self._clock_is_fine or sys.getswitchinterval() > motion.SWITCH_MOST_S:
            note = "threads: no fine CPU clock, or a long switch interval: waits are not read"
            observation.coverage.append(blind(note))
        if self._deaths is not None:
            observation.coverage += self._deaths.coverage
        self._context.libraries.activate_imported()
        self._classifier.refresh()
        self._resources.sure = self._clock_is_fine is True
        self._look_at_all(now_ns, pause)
        self._between(observation, now_ns)
        for record in self._threads.values():
            if record.node is not None:
                observation.nodes[record.id] = record.node
                observation.edges[record.id] = record.edges

    def confirm(self, observation: Observation, _now_ns: int, _pause: Yield) -> None:
        """Who has what was read after who waits for it: one who has run since then may be its owner by now, and would
        seem to wait for himself. So he is said to run."""
        for record in self._threads.values():
            node = record.node
            if node is None or node.wait is None or _wakes_by_itself(node.wait):
                continue  # what the last waits for he could have only once he is out of that call
            if thread_internals.cpu_ns(record.facts.native_id) == record.cpu_ns:
                continue
            record.moment, record.targets = False, []
            show(record, "running", None, node.stack, ())
            if record.node is not None:
                observation.nodes[record.id], observation.edges[record.id] = record.node, record.edges

    # --- the threads --------------------------------------------------------------------------------------------------

    def _look_at_all(self, now_ns: int, pause: Yield) -> None:
        known = thread_internals.known_threads()
        own = asker()
        all_facts = {
            ident: facts
            for ident, thread in known.items()
            if ident != own and not (facts := thread_internals.facts(ident, thread)).name.startswith(_OURS)
        }
        clocks = {ident: thread_internals.cpu_ns(facts.native_id) for ident, facts in all_facts.items()}
        asleep = motion.asleep(self._threads, all_facts, clocks, self._clock_is_fine is True)
        # In this order: what a clock has not moved past its frames cannot have moved past either.
        frames = current_frames()
        for ident in frames.keys() - known.keys() - {own} - native.own_idents:
            all_facts[ident] = thread_internals.facts(ident, None)
        self._forget_ended(all_facts)
        self._context.threads_ended(frames.keys() | known.keys())
        for number, (ident, facts) in enumerate(all_facts.items()):
            if number % _YIELD_EVERY == 0:
                pause()
            frame = frames.pop(ident, None)
            if frame is None:
                continue
            try:
                self._look_at(ident, facts, clocks.get(ident), frame, ident in asleep, known, now_ns)
            except OSError:  # its clock: it has ended since its frame was looked up
                self._threads.pop(ident, None)
                self._context.thread_ended(ident)
        frames.clear()

    def _process(self, ident: int) -> str:
        """Of the main thread, what this process is called, if another one has started it: each has a MainThread."""
        if ident != thread_internals.main_ident():
            return ""
        inherited = self._context.inherited
        if inherited is None:
            return sharing.own_name()
        name = "" if inherited.is_called_after_parent() else sharing.own_name()
        return name or f"pid {os.getpid()}"

    def _forget_given_again(self) -> None:
        """Before anything is told to be on a thread: its tasks would stay on the one that had its ident before."""
        known = thread_internals.known_threads()
        for ident in self._threads.keys() & known.keys():
            self._forget_other(thread_internals.facts(ident, known[ident]))

    def _forget_other(self, now: ThreadFacts) -> None:
        """The thread that had its ident before, if it is another one."""
        if now.native_id != self._threads[now.ident].facts.native_id:
            del self._threads[now.ident]
            self._context.thread_ended(now.ident)

    def _forget_ended(self, living: dict[int, ThreadFacts]) -> None:
        for ident in list(self._threads):
            if ident in living:
                self._forget_other(living[ident])
            else:
                del self._threads[ident]

    def _look_at(
        self,
        ident: int,
        facts: ThreadFacts,
        cpu_ns: int | None,
        frame: FrameType,
        asleep: bool,
        known: dict[int, threading.Thread],
        now_ns: int,
    ) -> None:
        record = self._threads.get(ident)
        if record is None:
            created = thread_internals.started_ns(facts.native_id, now_ns) or now_ns
            record = ThreadRecord(facts, self._context.thread(ident, created), created, process=self._process(ident))
            self._threads[ident] = record
        elif not record.process:  # one that is spawned is told its name after it was first looked at
            record.process = self._process(ident)
        if not asleep and motion.stands(record, cpu_ns, self._clock_is_fine is True):
            if record.node is not None and record.node.state in ("running", "gil"):  # it was, but has it been since?
                show(record, motion.state(record, cpu_ns, now_ns), None, record.node.stack, ())
            self._search(record, frame)
            self._ask_own_service(record, frame)
            return
        self._read(ident, record, facts, cpu_ns, frame, asleep, known, now_ns)

    def _ask_own_service(self, record: ThreadRecord, frame: FrameType) -> None:
        """Whether one that stands where it was read waits for an answer of the service that it serves itself: once."""
        if record.own_service is not None or record.facts.native_id is None:
            return
        things = [thing for reference in record.targets if (thing := reference()) is not None]
        found = [self._resources.flows.ends.own_service(thing) for thing in things]
        address = max(found, default="")
        if not address:
            return
        calls = CallStack(frame, thread_internals.cpu_clock(record.facts.native_id), record.cpu_ns)
        serves = serves_at(calls, address)
        calls.clear()
        if thread_internals.cpu_ns(record.facts.native_id) == record.cpu_ns:
            record.tell_own_service(address if serves else "")

    def _search(self, record: ThreadRecord, frame: FrameType) -> None:
        """What of pools a thread has that stands where it was read, if that is wanted now and was not then."""
        if record.searched or record.facts.native_id is None or not self._pool_holders.wanted:
            return
        calls = CallStack(frame, thread_internals.cpu_clock(record.facts.native_id), record.cpu_ns)
        borrowed = self._pool_holders.of_thread(calls)
        calls.clear()
        if thread_internals.cpu_ns(record.facts.native_id) == record.cpu_ns:
            record.borrowed, record.searched = borrowed, True

    def _read(
        self,
        ident: int,
        record: ThreadRecord,
        facts: ThreadFacts,
        cpu_ns: int | None,
        frame: FrameType,
        asleep: bool,
        known: dict[int, threading.Thread],
        now_ns: int,
    ) -> None:
        clock = None
        if asleep and facts.native_id is not None:
            clock = thread_internals.cpu_clock(facts.native_id)
        calls = CallStack(frame, clock, cpu_ns)
        waiting, taken = None, list[holds.HeldPrimitive]()
        record.own_service = None
        record.borrowed, record.searched = (), asleep and self._pool_holders.wanted
        if asleep:
            waiting = self._with_descriptor(self._classifier.classify(calls), facts.native_id)
            if waiting is None:
                waiting = self._in_unknown_call(calls, facts.native_id)
            record.call = "" if waiting is not None else self._classifier.call(calls)
            given_up = holds.given_up(calls, self._classifier.functions.condition_wait)
            taken = self._taken_here(ident, holds.taken(calls, given_up, self._held_by))
            record.borrowed = self._pool_holders.of_thread(calls) if record.searched else ()
            record.work = work_of(calls, self._classifier)  # else what it had in hand before, until that is done
        use = place_of_use(waiting, calls)
        stack = calls.named(self._context.with_lines)
        calls.clear()
        after_ns = thread_internals.cpu_ns(facts.native_id)
        record.moment = asleep and after_ns is not None and after_ns == cpu_ns
        if not record.moment:
            waiting, taken, record.call = None, [], ""  # parts of different moments: nothing is concluded from them
            record.borrowed, record.searched = (), False
            if _asks_on(record, stack) or _polls_on(record, frame):
                record.cpu_ns, record.read_ns = cpu_ns, now_ns
                return
        state = waiting.state if waiting is not None else motion.state(record, cpu_ns, now_ns)
        record.facts = facts
        record.handles_signals = signals.handled_by(ident)
        if not record.source or (not record.began and ident == thread_internals.main_ident()):
            # The first look may have met the main thread before it came to the program itself.
            record.source = begins_at(stack)
            record.began = any(not frame.library for frame in stack)
        record.holds = holds.held_since(record.id, record.holds, taken, self._resources, now_ns)
        before = record.node
        wait, edges = None, ()
        if waiting is not None and waiting.state != "idle":
            if waiting.operation is _SHUTDOWN:
                targets = tuple(stdlib_internals.shutdown_waits_for(known))
                waiting = waiting._replace(targets=targets, needs=len(targets), state="waiting")
            found = all_nodes(waiting.targets, lambda target: self._node_of(target, waiting, use, now_ns))
            stayed = (
                before is not None
                and before.wait is not None
                and before.wait.operation == waiting.operation.name
                and (cpu_ns == record.cpu_ns or (waiting.polls_in is not None and waiting.polls_in == record.polls_in))
            )
            since_ns = before.wait.since_ns if stayed and before is not None and before.wait is not None else now_ns
            record.steps += not stayed
            record.polls_in = waiting.polls_in
            source = own_line.place(stack)
            deadline_ns = waits.deadline_ns(waiting, since_ns, now_ns)
            wait = Wait(waiting.operation.name, since_ns, source, waiting.needs, deadline_ns)
            edges = tuple(Edge(EdgeKind.NEEDS, record.id, target, since_ns, source) for target in found)
            record.targets = [ref(target) for target in waiting.targets if self._resources.known(target) is not None]
        else:
            record.targets, record.polls_in = [], None
        record.cpu_ns, record.read_ns = cpu_ns, now_ns
        show(record, state, wait, stack, edges)

    # --- what they wait for and have ----------------------------------------------------------------------------------

    def _with_descriptor(self, waiting: Waiting | None, native_id: int | None) -> Waiting | None:
        """The same, with the pipe or socket that is read from or written to, where no object of it is in sight."""
        if waiting is None or waiting.targets:
            return waiting
        found = self._context.descriptors.waited_for(waiting.operation.name, native_id)
        return waiting if found is None else waiting._replace(targets=(found,))

    def _in_unknown_call(self, calls: CallStack, native_id: int | None) -> Waiting | None:
        """Of one that sleeps in no function that is known to wait: what the system call tells."""
        busy = busy_with(calls, self._classifier, native_id)
        if busy is not None or self._classifier.callee(calls) is not None:
            return busy
        end = self._context.descriptors.read_unnamed(native_id)
        return None if end is None else Waiting(_READ, "blocked", (end,))

    def _node_of(self, target: Any, waiting: Waiting, use: tuple[str, str], now_ns: int) -> str | None:
        if issubclass(type(target), threading.Thread):
            ident = stdlib_internals.thread_ident(target)
            return None if ident is None else self._context.thread(ident, now_ns)
        if waiting.operation.kind is NodeKind.FUTURE:
            return self._context.futures.wanted(target, now_ns, use[1])
        record = self._resources.record(target, now_ns, lambda: use)
        if record is None:
            return None
        node_id = record.node_of(waiting.operation.kind)
        self._resources.flows.waited_for(target, waiting.operation, node_id)
        return node_id

    def _taken_here(self, ident: int, taken: list[holds.HeldPrimitive]) -> list[holds.HeldPrimitive]:
        """Without what processes share and was taken before this one was forked."""
        inherited = self._context.inherited

        def is_here(one: holds.HeldPrimitive) -> bool:
            if not stdlib_internals.is_shared_lock(one.primitive):
                return True
            if inherited is None:
                return stdlib_internals.may_be_taken_here(one.primitive)
            return not inherited.is_from_before(ident, one.outer)

        return [one for one in taken if is_here(one)]

    def _between(self, observation: Observation, now_ns: int) -> None:
        """What the threads wait for and have, the futures and the executors."""
        died, main = self._resources.kin.died(), self._threads.get(thread_internals.main_ident() or 0)
        if main is not None and main.children_died != died:
            main.tell_died(died)
        for record in self._threads.values():
            for reference in record.targets:
                self._resources.use(reference)
            for reference, one in record.holds:
                self._resources.hold(reference, one)
            wait = None if record.node is None else record.node.wait
            self._pool_holders.hold(record.id, record.read_ns if wait is None else wait.since_ns, record.borrowed)
        wanted = self._context.futures.pending()
        working = [(record.id, record.work) for record in self._threads.values()]
        self._touch(self._resources.far_ends(now_ns))
        worked = self._pools.look(working, wanted, self._context.task_id, observation, now_ns)
        for node, edges in self._context.futures.nodes(wanted, worked):
            observation.nodes[node.id] = node
            observation.edges[node.id] = edges

    def _touch(self, far_ends: dict[int, str]) -> None:
        """Who waits at one end of a connection has that end in his hands."""
        for record in self._threads.values():
            things = [thing for reference in record.targets if (thing := reference()) is not None]
            ends = [far_ends[id(thing)] for thing in things if id(thing) in far_ends]
            edges = tuple(edge for edge in record.edges if edge.kind is not EdgeKind.TOUCHES)
            edges += tuple(Edge(EdgeKind.TOUCHES, record.id, end, confidence=Confidence.INFERRED) for end in ends)
            if edges != record.edges:
                record.edges = edges

    def _servers(self) -> dict[int, int]:
        """By descriptor: the ident of the thread that accepts by it."""
        served = ((record.work.listens_at, ident) for ident, record in self._threads.items())
        return {fd: ident for fd, ident in served if fd is not None}

    def holds(self) -> list[ThreadHold]:
        """The plain locks that threads were seen to have in a block, at the last look. From the fork hook."""
        return [
            ThreadHold(ident, record.facts.name, reference)
            for ident, record in list(self._threads.items())
            for reference, held in list(record.holds)
            if held.by_block
        ]

    def _hidden(self) -> str:
        """Why no thread can be read now; empty where they can."""
        library = green_threads.patched_by()
        if library and (library != "gevent" or gevent.known() is None):
            return f"{library} has replaced threads and locks by its own: who waits there is not seen"
        return "" if can_be_read() else OTHER_INTERPRETER

    def _held_by(self, manager: Any) -> object | None:
        return self._context.libraries.held_by_manager(manager, by_thread=True)

    def _thread_id(self, ident: int) -> str | None:
        record = self._threads.get(ident)
        return None if record is None else record.id


def _wakes_by_itself(wait: Wait) -> bool:
    known = operation_of(wait.operation)
    return known.asks_outside or known.polls


def _polls_on(record: ThreadRecord, frame: FrameType | None) -> bool:
    """Whether it is still in the call in which it looked round again and again."""
    if record.polls_in is None or record.node is None or record.node.wait is None:
        return False
    while frame is not None:
        if id(frame) == record.polls_in.frame and id(frame.f_code) == record.polls_in.code:
            return True
        frame = frame.f_back
    return False


def _asks_on(record: ThreadRecord, stack: tuple[Frame, ...]) -> bool:
    """Whether it was in a call that wakes by itself now and then, and stands where it stood: what it waits for and has
    is told on, for it is awake a moment only. That it may be the next such call, its span tells."""
    before = record.node
    wait = None if before is None else before.wait
    return (
        before is not None and wait is not None and operation_of(wait.operation).asks_outside and stack == before.stack
    )
